"""Types of columns: one spelling for each, the Python type of its values, and which changes PostgreSQL makes freely."""

import re

_SYNONYMS = {
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "serial4": "serial",
    "serial8": "bigserial",
    "serial2": "smallserial",
    "character varying": "varchar",
    "character": "char",
    "bpchar": "char",
    "bool": "boolean",
    "float8": "double precision",
    "float": "double precision",
    "float4": "real",
    "decimal": "numeric",
    "bit varying": "varbit",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "datetime": "timestamp",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "blob": "bytea",
    "clob": "text",
}
SERIAL = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}
_PYTHON = {
    **dict.fromkeys(("integer", "bigint", "smallint", *SERIAL), "int"),
    **dict.fromkeys(("varchar", "text", "char", "citext", "name"), "str"),
    **dict.fromkeys(("real", "double precision"), "float"),
    **dict.fromkeys(("timestamp", "timestamptz"), "datetime"),
    **dict.fromkeys(("time", "timetz"), "time"),
    **dict.fromkeys(("json", "jsonb"), "JSON value"),
    "numeric": "Decimal",
    "boolean": "bool",
    "date": "date",
    "interval": "timedelta",
    "bytea": "bytes",
    "uuid": "UUID",
}
# A longer length, or none, changes the catalog alone.
_LENGTHENED = frozenset(("varchar", "varbit"))
_PRECISE = frozenset(("timestamp", "timestamptz", "time", "timetz", "interval"))
_NO_LENGTH = 1 << 30


def spelled(text: str) -> str:
    """The type in one spelling: `varchar(50)`, `numeric(10,2)`, `integer[]`."""
    found = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.lower().split()))
    # timestamp(3) with time zone.
    if moved := re.match(r"(timestamp|time)\((\d+)\)(with time zone|without time zone)$", found):
        return f"{_SYNONYMS[f'{moved[1]} {moved[3]}']}({moved[2]})"
    base, opening, rest = found.partition("(")
    array = "[]" if found.endswith("[]") else ""
    name = base.removesuffix("[]")
    return _SYNONYMS.get(name, name) + (opening + rest if opening else array)


def base(type: str) -> str:
    return type.partition("(")[0]


def is_known(type: str) -> bool:
    """Whether the type is one of PostgreSQL's usual types."""
    return base(type).removesuffix("[]") in _PYTHON


def python_type(type: str) -> str:
    """The Python type of values, as the drivers return them; empty if it is not known."""
    return _PYTHON.get(base(type), "")


def is_catalog_only(was: str, now: str) -> bool:
    """Whether PostgreSQL changes the type without a rewrite and without a scan.

    https://www.postgresql.org/docs/current/sql-altertable.html: binary coercible types, and longer limits.
    """
    if was == now:
        return True
    kind, new = base(was), base(now)
    if kind == new and kind in _LENGTHENED:
        return _arguments(now, _NO_LENGTH)[0] >= _arguments(was, _NO_LENGTH)[0]
    if kind == new and kind in _PRECISE:
        return _arguments(now, 6)[0] >= _arguments(was, 6)[0]
    if kind == new == "numeric":
        (precision, scale), (new_precision, new_scale) = _numeric(was), _numeric(now)
        return new_precision == _NO_LENGTH or (new_precision >= precision != _NO_LENGTH and new_scale == scale)
    return (kind in ("varchar", "text") and now in ("varchar", "text")) or (kind, now) == ("cidr", "inet")


def is_narrower(was: str, now: str) -> bool:
    """Whether some values of the first type do not fit the second."""
    kind, new = base(was), base(now)
    if kind in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) < _INTEGERS.index(kind)
    if kind in _TEXTS and new in _TEXTS:
        return _arguments(now, _NO_LENGTH)[0] < _arguments(was, _NO_LENGTH)[0]
    if kind == new == "numeric":
        (precision, scale), (new_precision, new_scale) = _numeric(was), _numeric(now)
        return new_precision - new_scale < precision - scale or new_scale < scale
    return (kind, new) in (("timestamp", "date"), ("timestamptz", "date"), ("numeric", "integer"), ("real", "integer"))


_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("varchar", "char", "text")


def _arguments(type: str, default: int) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", type.partition("(")[2])] or [default]


def _numeric(type: str) -> tuple[int, int]:
    found = _arguments(type, _NO_LENGTH)
    return found[0], found[1] if len(found) > 1 else 0
