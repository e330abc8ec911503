"""Many plain rows for one table, made inside the database: INSERT … SELECT over a series of numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, text, types

from service.migrate.dialects import ddl

# The rows of the table that are there already, numbered: the values of types without an expression.
_SAMPLE = "proof_sample"
_SAMPLED_ROWS = 100
_KEYS = "proof_keys_{}"
_MOMENT = 1577836800  # 2020-01-01
_SERIES = {
    "postgresql": "WITH g AS (SELECT n FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS s(n))",
    "sqlite": "WITH RECURSIVE g(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM g WHERE n < :last)",
}


class Unsuited(Exception):
    """A column whose values have to differ has a type that no expression here makes."""


@dataclass(kw_only=True)
class ServerSide:
    """Inserts rows for numbers into a table that has some rows; `columns` says which must be unique.

    A row that violates a unique constraint is left out. With `is_sampled` only what must be unique is new, and the
    other values of a row are those of a row that is there, as constraints between columns may ask.
    """

    connection: Connection
    table: Table
    columns: Mapping[str, bool]
    fixed: Mapping[str, Any]
    # How many rows of another table a foreign key uses, in turn.
    most_keys: int
    is_sampled: bool
    _values: dict[str, str] = field(default_factory=dict, init=False)
    _joins: list[str] = field(default_factory=list, init=False)
    _temporary: list[str] = field(default_factory=list, init=False)

    @contextmanager
    def prepared(self) -> Iterator[Callable[[int, int], int]]:
        """A function that inserts a row for each number of a range and returns how many it inserted.

        The caller holds a savepoint, with which the temporary tables go after an error.

        Raises:
            Unsuited: the rows of this table have to be made elsewhere.
        """
        self._prepare()
        yield self._insert
        for name in self._temporary:
            self.connection.exec_driver_sql(f"DROP TABLE {name}")

    def _prepare(self) -> None:
        own = {name: f":fixed_{at}" for at, name in enumerate(self.columns) if name in self.fixed}
        self._values = {name: own.get(name, "") for name in self.columns}
        expressions = _POSTGRESQL if self._is_postgresql else _SQLITE
        referring = {each.parent.name for key in self.table.foreign_key_constraints for each in key.elements}
        sampled = []
        for name, is_unique in self.columns.items():
            if own.get(name) or name in referring:
                continue
            found = expression(expressions, self.table.columns[name]) if is_unique or not self.is_sampled else None
            if found is None and is_unique:
                raise Unsuited(name)
            if found is None:
                sampled.append(name)
            self._values[name] = found or f"{_SAMPLE}.{ddl.quoted(name)}"
        if sampled:
            self._join(_SAMPLE, self.table.fullname, sampled, _SAMPLED_ROWS)
        for at, key in enumerate(self.table.foreign_key_constraints):
            names = {each.parent.name: each.column.name for each in key.elements if each.parent.name in self.columns}
            if names := {name: there for name, there in names.items() if not own.get(name)}:
                target = key.elements[0].column.table.fullname
                self._join(_KEYS.format(at), target, list(names.values()), self.most_keys)
                self._values |= {name: f"{_KEYS.format(at)}.{ddl.quoted(there)}" for name, there in names.items()}

    def _join(self, name: str, table: str, columns: Sequence[str], most: int) -> None:
        """Number rows of a table in a temporary one, which is joined by the remainder of each number."""
        listed = ddl.listed(columns)
        self.connection.exec_driver_sql(
            f"CREATE TEMP TABLE {name} AS SELECT row_number() OVER () - 1 AS at, {listed} "
            f"FROM (SELECT {listed} FROM {_quoted(table)} LIMIT {most}) AS few"
        )
        self._temporary.append(name)
        self.connection.exec_driver_sql(f"CREATE UNIQUE INDEX {name}_at ON {name} (at)")
        if self._is_postgresql:
            self.connection.exec_driver_sql(f"ANALYZE {name}")
        count = self.connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
        self._joins.append(f"LEFT JOIN {name} ON {name}.at = g.n % {max(count, 1)}")

    @property
    def _is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def _insert(self, first: int, last: int) -> int:
        names, values = ddl.listed(self._values), ", ".join(self._values.values())
        # SQLite takes ON after a join for a part of the join, unless a WHERE stands between them.
        statement = text(
            f"INSERT INTO {_quoted(self.table.fullname)} ({names}) {_SERIES[self.connection.dialect.name]} "
            f"SELECT {values} FROM g {' '.join(self._joins)} WHERE true ON CONFLICT DO NOTHING"
        )
        fixed = [
            bindparam(f"fixed_{at}", self.fixed[name], type_=self.table.columns[name].type)
            for at, name in enumerate(self._values)
            if name in self.fixed
        ]
        return self.connection.execute(statement.bindparams(*fixed, first=first, last=last)).rowcount


def _quoted(name: str) -> str:
    """The quoted name of a table, with that of its schema."""
    return ".".join(map(ddl.quoted, name.split(".")))


def expression(kinds: "tuple[tuple[Any, Callable[[Any], str]], ...]", column: Column[Any]) -> str | None:
    """The SQL of a column's value for the number g.n; `None` if its type has none."""
    if isinstance(column.type, types.Enum):
        return None
    return next((made(column.type) for known, made in kinds if isinstance(column.type, known)), None)


def _remainder(kind: Any) -> str:
    if isinstance(kind, types.BigInteger):
        return "g.n"
    return f"g.n % {2**15 if isinstance(kind, types.SmallInteger) else 2**31}"


def _numeric(kind: Any) -> str:
    whole = (kind.precision or 12) - (kind.scale if kind.scale is not None else 2)
    return f"g.n % {10 ** max(min(whole, 9), 0)}"


_POSTGRESQL: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (types.Boolean, lambda _kind: "g.n % 2 = 0"),
    (types.Float, lambda _kind: "g.n"),
    (types.Numeric, _numeric),
    (types.Integer, _remainder),
    (
        types.DateTime,
        lambda kind: (
            f"to_timestamp({_MOMENT} + g.n)" if kind.timezone else "timestamp '2020-01-01' + g.n * interval '1 s'"
        ),
    ),
    (types.Date, lambda _kind: "date '2020-01-01' + CAST(g.n % 36500 AS integer)"),
    (types.Uuid, lambda _kind: "CAST(md5(CAST(g.n AS text)) AS uuid)"),
    (types.String, lambda kind: f"right('plain-' || g.n, {kind.length or 5000})"),
)
_SQLITE: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (types.Boolean, lambda _kind: "g.n % 2 = 0"),
    (types.Float, lambda _kind: "g.n * 1.0"),
    (types.Numeric, _numeric),
    (types.Integer, _remainder),
    (types.DateTime, lambda _kind: f"strftime('%Y-%m-%d %H:%M:%S.000000', {_MOMENT} + g.n, 'unixepoch')"),
    (types.Date, lambda _kind: f"date({_MOMENT} + 86400 * (g.n % 36500), 'unixepoch')"),
    (types.String, lambda kind: f"substr('plain-' || g.n, -{kind.length or 5000})"),
)
