"""Values of PostgreSQL's own types, as literals that the database reads itself; and those that choose a partition."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Table, literal_column

from service.migrate.dialects import ddl

# By the name that format_type has, without its length: odd values, and a plain one for each serial number.
_TEXTS: dict[str, tuple[tuple[str, ...], str]] = {
    "interval": (("1 year 2 mons -3 days 04:05:06.789", "0", "-1 mon"), "{} seconds"),
    "time with time zone": (("00:00:00+14", "23:59:59.999999-12"), "12:00:00.{fraction:06}+00"),
    "json": (('{"b":1, "a":2,  "a":null}', "[]", '"x"', "1.10"), '{{"serial": {}}}'),
    "jsonb": (('{"b": 1.10, "a": null}', "[]", '"x"', "{}"), '{{"serial": {}}}'),
    "money": (("0", "-1.01", "92233720368547758.07"), "{}"),
    "oid": (("0", "4294967295"), "{}"),
    "xid": (("1", "4294967295"), "{0}"),
    "inet": (("10.255.255.255", "::1", "255.255.255.255/8"), "10.{high}.{middle}.{low}"),
    "cidr": (("10.0.0.0/8", "::/0"), "10.{high}.{middle}.{low}/32"),
    "macaddr": (("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"), "08:00:2b:{high:02x}:{middle:02x}:{low:02x}"),
    "macaddr8": (("00:00:00:00:00:00:00:00",), "08:00:2b:01:02:{high:02x}:{middle:02x}:{low:02x}"),
    "bit varying": (("", "1", "0"), "{:b}"),
    "xml": (("<a>ß</a>", "text"), "<a>{}</a>"),
    "tsvector": (("'a':1A 'b':2", ""), "'w{}'"),
    "tsquery": (("'a' & !'b'", ""), "'w{}'"),
    "int4range": (("empty", "(,)", "[1,5]"), "[{0},{0}]"),
    "int8range": (("empty", "(,)", "[1,5]"), "[{0},{0}]"),
    "numrange": (("empty", "(,)", "(1.10,5]"), "[{0},{0}]"),
    "daterange": (("empty", "(,)", "[2024-02-29,2024-03-01]"), "[{day},{day}]"),
    "tsrange": (("empty", "(,2024-02-29 23:59:59.999999]"), "[{day},{day}]"),
    "tstzrange": (("empty", "(,2024-02-29 23:59:59.999999+02]"), "[{day},{day}]"),
    "int4multirange": (("{{}}", "{{[1,3),[5,8)}}"), "{{[{0},{0}]}}"),
    "int8multirange": (("{{}}", "{{[1,3),[5,8)}}"), "{{[{0},{0}]}}"),
    "nummultirange": (("{{}}", "{{[1,3),[5,8)}}"), "{{[{0},{0}]}}"),
    "datemultirange": (("{{}}",), "{{[{day},{day}]}}"),
    "tsmultirange": (("{{}}",), "{{[{day},{day}]}}"),
    "tstzmultirange": (("{{}}",), "{{[{day},{day}]}}"),
    "point": (("(0,0)", "(-1.5,1e-300)"), "({0},{0})"),
    "line": (("{{1,-1,0}}",), "{{1,-1,0}}"),
    "lseg": (("[(0,0),(1,1)]",), "[(0,0),({0},1)]"),
    "box": (("(1,1),(0,0)",), "({0},1),(0,0)"),
    "path": (("((0,0),(1,1))", "[(0,0),(1,1)]"), "[(0,0),({0},1)]"),
    "polygon": (("((0,0),(1,1),(1,0))",), "((0,0),({0},1),(1,0))"),
    "circle": (("<(0,0),0>",), "<(0,0),{}>"),
    "pg_lsn": (("0/0", "FFFFFFFF/FFFFFFFF"), "0/{0:X}"),
    "pg_snapshot": (("10:20:10,14",), "{0}:{0}:"),
    "jsonpath": (("$.a[*]",), "$.a"),
    "regclass": (("pg_class",), "pg_class"),
    "regtype": (("integer", "text"), "integer"),
    "name": (("", "a", "A"), "n{}"),
    '"char"': (("a", "A"), "c"),
}
_BOUNDS = re.compile(r"(?:FROM|IN) \((.*?)\)(?: TO|$)")
_BOUND = re.compile(r"'(?:[^']|'')*'|-?\d[\d.]*")
_COLUMNS = """
SELECT attname, format_type(coalesce(nullif(typbasetype, 0), atttypid), CASE typtype WHEN 'd' THEN typtypmod
                            ELSE atttypmod END),
       CASE typtype WHEN 'c' THEN (SELECT count(*) FROM pg_attribute e WHERE e.attrelid = typrelid AND e.attnum > 0
                                   AND NOT e.attisdropped) END
FROM pg_attribute a JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped
"""
_PARTITIONS = """
SELECT pg_get_expr(relpartbound, oid) FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = {0}::regclass AND (SELECT partnatts FROM pg_partitioned_table WHERE partrelid = {0}::regclass) = 1
"""
_PARTITION_KEY = """
SELECT attname FROM pg_partitioned_table JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
WHERE partrelid = {}::regclass AND partnatts = 1
"""


@dataclass(kw_only=True)
class Literals:
    """The literals for the columns of one table; none on SQLite, and for types that SQLAlchemy has values for."""

    connection: Connection
    table: Table
    _types: dict[str, str] = field(default_factory=dict, init=False)
    _parts: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.connection.dialect.name != "postgresql":
            return
        for name, type_name, parts in self._ask(_COLUMNS):
            self._types[name] = type_name
            if parts:
                self._parts[name] = parts

    def of(self, column: str, serial: int) -> tuple[list[Any], Any] | None:
        """Odd literals and a plain one; `None` for a type that SQLAlchemy has values for."""
        kind = self._types.get(column, "")
        odd: tuple[str, ...]
        base = re.sub(r"\(.*?\)", "", kind).removesuffix("[]")
        base = "interval" if base.startswith("interval") else base
        if column in self._parts:
            count = self._parts[column]
            odd, plain = (f"({',' * (count - 1)})",), f"({','.join('1' * count)})"
        elif base in _TEXTS:
            odd, template = _TEXTS[base]
            # Templates double their braces, for str.format.
            odd, plain = tuple(each.replace("{{", "{").replace("}}", "}") for each in odd), _text(template, serial)
        elif base == "bit":
            length = int((re.search(r"\d+", kind) or ["1"])[0])
            odd, plain = ("0" * length, "1" * length), f"{serial:0{length}b}"[-length:]
        else:
            return None
        if kind.endswith("[]"):
            return [self._array([*odd, None], base, kind), self._array([], base, kind)], self._array(
                [plain], base, kind
            )
        return [_cast(each, kind) for each in odd], _cast(plain, kind)

    def of_partitions(self) -> dict[str, list[Any]]:
        """Values of the column by which the table is partitioned, for each of which there is a partition."""
        if self.connection.dialect.name != "postgresql":
            return {}
        key = [row[0] for row in self._ask(_PARTITION_KEY)]
        bounds = [row[0] for row in self._ask(_PARTITIONS)] if key else []
        if not bounds or "DEFAULT" in bounds:
            return {}
        found = [bound for each in bounds if (parts := _BOUNDS.search(each)) for bound in _BOUND.findall(parts[1])]
        values: list[Any] = [literal_column(f"CAST({each} AS {self._types[key[0]]})") for each in found]
        return {key[0]: values} if values else {}

    def _array(self, values: Sequence[str | None], base: str, kind: str) -> Any:
        items = ", ".join("NULL" if each is None else f"CAST({ddl.literal(each)} AS {base})" for each in values)
        return literal_column(f"CAST(ARRAY[{items}] AS {kind})")

    def _ask(self, query: str) -> list[Any]:
        schema = f"{ddl.quoted(self.table.schema)}." if self.table.schema else ""
        name = ddl.literal(f"{schema}{ddl.quoted(self.table.name)}")
        return list(self.connection.exec_driver_sql(query.format(name)).all())


def _cast(text: str, kind: str) -> Any:
    return literal_column(f"CAST({ddl.literal(text)} AS {kind})")


def _text(template: str, serial: int) -> str:
    """The plain literal for a serial number, which only types of few values have for two numbers."""
    high, middle, low = (serial % 2**24).to_bytes(3)
    day = date(2020, 1, 1) + timedelta(days=serial % 10**6)
    return template.format(serial, high=high, middle=middle, low=low, day=day, fraction=serial % 10**6)
