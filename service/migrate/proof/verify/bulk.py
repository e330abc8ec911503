"""Many plain rows for one table, in chunks: made in the database, else by COPY or executemany."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import itemgetter
from random import Random
from typing import Any

import asyncpg
from sqlalchemy import Column, Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.util import await_only

from service.migrate.proof.verify.literals import Literals
from service.migrate.proof.verify.samples import plain
from service.migrate.proof.verify.server_side import ServerSide, Unsuited

_CHUNK = 5000
_SERVER_CHUNK = 50_000
_FAILED_CHUNKS = 3
_FAILURES = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OverflowError, ValueError, TypeError)
# A value for each serial number.
Maker = Callable[[int], Any]


@dataclass(kw_only=True)
class Bulk:
    """Inserts plain rows into a table.

    `fixed` and `literals` have the values of some columns, by name, and `own` those of PostgreSQL's own types.
    """

    connection: Connection
    table: Table
    random: Random
    fixed: Mapping[str, Any]
    literals: Mapping[str, Sequence[Any]]
    own: Literals
    is_unique: Callable[[Table, Column[Any]], bool]
    watch: Callable[[str, int], None]
    _makers: dict[str, Maker] = field(default_factory=dict, init=False)

    def insert(self, wanted: int, serials: Iterator[int]) -> None:
        """Insert so many rows, in the database itself where that can be, where necessary as copies of rows."""
        done = 0
        for is_sampled in (False, True):
            done += self._insert_server_side(wanted, done, serials, is_sampled=is_sampled)
        if not done:
            self._insert_from_here(wanted, done, serials)

    def _insert_server_side(self, wanted: int, done: int, serials: Iterator[int], *, is_sampled: bool) -> int:
        """Return the number of inserted rows; it stops at a chunk that violates a constraint."""
        rows = ServerSide(
            connection=self.connection,
            table=self.table,
            columns={each.name: self.is_unique(self.table, each) for each in self._columns()},
            fixed=self.fixed,
            most_keys=wanted,
            is_sampled=is_sampled or bool(self.literals),
        )
        before = done
        with suppress(Unsuited, SQLAlchemyError), self.connection.begin_nested(), rows.prepared() as insert:
            while done < wanted:
                size = min(wanted - done, _SERVER_CHUNK)
                first = next(serials)
                deque(islice(serials, size - 1), maxlen=0)
                try:
                    with self.connection.begin_nested():
                        made = insert(first, first + size - 1)
                except SQLAlchemyError:
                    break
                if made <= 0:
                    break
                done += made
                self._report(done)
        return done - before

    def _insert_from_here(self, wanted: int, done: int, serials: Iterator[int]) -> None:
        """A chunk that violates a constraint is left out, and after some of these the rest."""
        self._makers = dict(self._all_makers(wanted))
        failed = 0
        while done < wanted and failed < _FAILED_CHUNKS:
            size = min(wanted - done, _CHUNK)
            try:
                rows = [
                    [make(serial) for make in self._makers.values()]
                    for serial, _ in zip(serials, range(size), strict=False)
                ]
                with self.connection.begin_nested():
                    self._insert(rows)
            except _FAILURES:
                failed += 1
                continue
            done += size
            self._report(done)

    def _report(self, done: int) -> None:
        self.watch(self.table.name, done)

    def _insert(self, rows: list[list[Any]]) -> None:
        names = list(self._makers)
        if rows and any(isinstance(each, ClauseElement) for each in rows[0]):
            # The database computes these values, which COPY cannot have.
            for row in rows:
                self.connection.execute(self.table.insert().values(dict(zip(names, row, strict=True))))
            return
        if self.connection.dialect.name != "postgresql":
            self.connection.execute(self.table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
            return
        driver: Any = self.connection.connection.driver_connection
        await_only(
            driver.copy_records_to_table(
                self.table.name, schema_name=self.table.schema, columns=names, records=self._bound(names, rows)
            )
        )

    def _bound(self, names: list[str], rows: list[list[Any]]) -> list[list[Any]]:
        """The values as the driver takes them."""
        dialect = self.connection.dialect
        for at, name in enumerate(names):
            bind = self.table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)
            if bind is not None:
                for row in rows:
                    row[at] = bind(row[at])
        return rows

    def _all_makers(self, wanted: int) -> "list[tuple[str, Maker]]":
        """Every row has the same columns."""
        referred = self._of_foreign_keys(wanted)
        return [(each.name, referred.get(each.name) or self._maker(each)) for each in self._columns()]

    def _columns(self) -> list[Column[Any]]:
        """The columns that the database does not set itself."""
        referring = {each.parent.name for key in self.table.foreign_key_constraints for each in key.elements}
        return [
            column
            for column in self.table.columns
            if column.computed is None
            and not (column.identity is not None and column.identity.always)
            and (column.name in referring or column.name in self.fixed or self._is_needed(column))
        ]

    def _is_needed(self, column: Column[Any]) -> bool:
        return column.server_default is None or column.primary_key or self.is_unique(self.table, column)

    def _maker(self, column: Column[Any]) -> Maker:
        if column.name in self.fixed:
            value = self.fixed[column.name]
            return lambda _serial: value
        if given := self.literals.get(column.name):
            return lambda _serial: self.random.choice(given)
        if not column.nullable and self.own.of(column.name, 0) is not None:
            return lambda serial: (self.own.of(column.name, serial) or ([], None))[1]
        return plain(column.type)

    def _of_foreign_keys(self, wanted: int) -> dict[str, Maker]:
        """Values of rows that exist, in turn, because a column that refers to another table may be unique."""
        found: dict[str, Maker] = {}
        for key in self.table.foreign_key_constraints:
            rows = self.connection.execute(select(*(each.column for each in key.elements)).limit(wanted)).all()
            for at, each in enumerate(key.elements):
                found[each.parent.name] = partial(_in_turn, list(map(itemgetter(at), rows)) or [None])
        return {name: make for name, make in found.items() if name not in self.fixed}


def _in_turn(values: list[Any], serial: int) -> Any:
    return values[serial % len(values)]
