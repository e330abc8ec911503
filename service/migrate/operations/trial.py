"""Expressions of a revision, tried on rows of the table in a transaction that is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import differ
from service.migrate.dialects.postgresql.tokens import truncated
from service.migrate.dialects.sqlite import failing
from service.migrate.dialects.sqlite.tokens import lowered
from service.migrate.dialects.types import affinity_of
from service.migrate.errors import Refused, reason
from service.migrate.operations.definitions import Same
from service.migrate.operations.step import CATALOG, Precondition, Target

_SAMPLE_ROWS = 1000
_PROBE = "_migration_trial"
# A transaction that only reads makes no table, not even a temporary one.
_MAY_MAKE = (
    "SELECT has_database_privilege(current_database(), 'TEMPORARY') "
    "AND current_setting('transaction_read_only') = 'off'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Two conversions between the values of two columns, by the names of their arguments."""

    call: str
    table: str
    old: Column[Any]
    new: Column[Any]
    forth: tuple[str, str]
    back: tuple[str, str]

    def tried(self, target: Target) -> tuple[Precondition, ...]:
        """The database converts a sample of the values, to the new column and back."""
        types = {ddl.type_text(column, target.dialect) for column in (self.old, self.new)}
        if len(types) == 1 and self.forth[1] == self.back[1] == "{}":
            return (self._same_type(target),)

        def find(connection: Connection) -> list[tuple[Any, ...]]:
            if may_try(connection):
                self._try(connection, target)
            return []

        why = f"{self.call} cannot be tried"
        value = ddl.applied(self.forth[1], "v.value")
        script = f"SELECT 1 FROM ({self._sample}) AS v HAVING count({value}) < 0"
        needs = (self.old.name,)
        return (Precondition(why=why, rows=find, table=self.table, needs=needs, script=script),)

    def _same_type(self, target: Target) -> Precondition:
        """The column has the declared type: another type would change the values without a conversion."""
        wanted = ddl.type_text(self.old, target.dialect)

        def find(connection: Connection) -> list[tuple[Any, ...]]:
            there = _type_of(connection, self.table, self.old.name)
            if there is None or (not target.is_sqlite and not may_try(connection)):
                return []
            if target.is_sqlite:
                is_same = affinity_of(there) == affinity_of(wanted)
            else:
                with _rolled_back(connection):
                    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} (value {wanted})")
                    is_same = there == _type_of(connection, _PROBE, "value")
            return [] if is_same else [(f"the type is {there or 'none'}", f"the revision says {wanted}")]

        why = f"The revision's definition of {self.table}.{self.old.name} differs from the database"
        cure = "Correct the type of both columns"
        return Same(why=why, rows=find, table=self.table, needs=(self.old.name,), cure=cure, script=CATALOG)

    @property
    def _sample(self) -> str:
        return f"SELECT {ddl.quoted(self.old.name)} AS value FROM {ddl.quoted(self.table)} LIMIT {_SAMPLE_ROWS}"

    def _try(self, connection: Connection, target: Target) -> None:
        there, again = f"{_PROBE}_1", f"{_PROBE}_2"
        made = {there: self.new, again: self.old}
        if target.is_sqlite and self.forth[0] == "up":
            _refuse_risky(connection, f"{target.revision}: {self.call}", self.table, self.forth[1])
        strict = _strict(connection, self.table)
        with _rolled_back(connection):
            for name, column in made.items():
                kind = ddl.type_text(column, target.dialect)
                connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} (value {kind}){strict}")
            for into, (argument, expression), source in (
                (there, self.forth, f"({self._sample})"),
                (again, self.back, there),
            ):
                value = ddl.applied(expression, "v.value")
                with _explained(f"{target.revision}: {self.call}", f"{argument}={expression!r}", self.table):
                    connection.exec_driver_sql(f"INSERT INTO {into} SELECT {value} FROM {source} AS v")
                unsteady = differ(target.dialect, made[into], f"({value})", f"({value})")
                if connection.exec_driver_sql(f"SELECT count(*) FROM {source} AS v WHERE {unsteady}").scalar():
                    raise Refused(
                        f"{target.revision}: {self.call}: {argument}={expression!r} has another value each time, so "
                        "that the migrator cannot know which rows are filled. Use an expression of the value alone."
                    )


def refuse_failing(connection: Connection, what: str, table: str, column: str, expression: str) -> None:
    """Try an expression over the rows of a table for one of its columns.

    Raises:
        Refused: the database cannot compute it, or cannot store it in the column.
    """
    if not may_try(connection):
        return
    on, name = ddl.quoted(table), ddl.quoted(column)
    made = f"AS SELECT {name} FROM {on} WHERE 1 = 0"
    if connection.dialect.name == "sqlite":
        _refuse_risky(connection, what, table, expression)
        made = f"({name} {_type_of(connection, table, column) or ''}){_strict(connection, table)}"
    with _rolled_back(connection):
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} {made}")
        with _explained(what, repr(expression), table):
            sample = f"SELECT * FROM {on} LIMIT {_SAMPLE_ROWS}"
            connection.exec_driver_sql(f"INSERT INTO {_PROBE} SELECT {expression} FROM ({sample}) AS written")


def _refuse_risky(connection: Connection, what: str, table: str, expression: str) -> None:
    """Raises Refused for an expression of a trigger on SQLite, where no trigger can catch an error."""
    if found := failing.risk(expression):
        name, cure = found
        raise Refused(
            f"{what}: {expression!r} uses {name}, with which SQLite fails on some values, and each write of such a "
            f"value would fail. Write {cure}."
        )
    if _strict(connection, table) and not failing.is_of_one_type(expression):
        raise Refused(
            f"{what}: {expression!r} may have a value of another type than the column, which the STRICT table {table} "
            "refuses, so that a write would fail. Write CAST(… AS …) around it."
        )


def _strict(connection: Connection, table: str) -> str:
    if connection.dialect.name != "sqlite":
        return ""
    asked = (
        f"SELECT strict FROM pragma_table_list WHERE schema = 'main' AND lower(name) = {ddl.literal(lowered(table))}"
    )
    return " STRICT" if connection.exec_driver_sql(asked).scalar() else ""


def tried(table: str, column: str, expression: str) -> tuple[str, ...]:
    """The statements of `refuse_failing` for a script, which raise PostgreSQL's own error."""
    on, sample = ddl.quoted(table), f"SELECT * FROM {ddl.quoted(table)} LIMIT {_SAMPLE_ROWS}"
    return (
        f"CREATE TEMPORARY TABLE {_PROBE} AS SELECT {ddl.quoted(column)} FROM {on} WHERE false",
        f"INSERT INTO {_PROBE} SELECT {expression} FROM ({sample}) AS written",
        f"DROP TABLE {_PROBE}",
    )


def may_try(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite" or bool(connection.exec_driver_sql(_MAY_MAKE).scalar())


def _type_of(connection: Connection, table: str, column: str) -> str | None:
    if connection.dialect.name == "sqlite":
        asked = f"SELECT name, type FROM pragma_table_xinfo({ddl.literal(table)})"
        rows = connection.exec_driver_sql(asked).all()
        return next((row.type for row in rows if lowered(row.name) == lowered(column)), None)
    asked = (
        f"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = {ddl.regclass(table)} "
        f"AND attname = {ddl.literal(truncated(column))} AND NOT attisdropped"
    )
    found: str | None = connection.exec_driver_sql(asked).scalar()
    return found


@contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    nested = connection.begin_nested()
    try:
        yield
    finally:
        nested.rollback()


@contextmanager
def _explained(what: str, expression: str, table: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as failure:
        raise Refused(
            f"{what}: {expression} fails on the rows of {table}: {reason(failure)}. Correct the expression or the rows."
        ) from failure
