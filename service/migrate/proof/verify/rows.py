"""Rows for every table of a database, the same for the same seed, with the values that break migrations."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, or_, select
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from service.migrate.dialects.kept import once
from service.migrate.errors import reason
from service.migrate.proof.catalog import catalog
from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.verify.bulk import Bulk
from service.migrate.proof.verify.checks import is_unique
from service.migrate.proof.verify.row_maker import RowMaker

_ATTEMPTS = 40
_IN_VAIN = 8
_TRIED = 20
# Tries to insert one row with other values for the columns that it is refused for.
_CORRECTED = 8
_DUPLICATE_EVERY = 7
# More rows than these are plain ones, inserted in chunks.
_ONE_BY_ONE = 100
# Called after each chunk with a table, how many rows it has, and the share of the whole fill that is done.
Watch = Callable[[str, int, float], None]


@dataclass(kw_only=True)
class Rows:
    """Fills the tables of a database up to `count` rows each; `counts` has other numbers, by table.

    `fixed` has values of columns, by names such as `users.email`.
    """

    seed: int
    count: int
    # Whether every value is plain, for a revision that refuses the odd ones.
    is_plain: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    watch: Watch | None = None
    # What is done of the fill before the current table, and how much of it that table is.
    _share: tuple[float, float] = field(default=(0.0, 1.0), init=False)
    _serials: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    def fill(self, connection: Connection) -> dict[str, str]:
        """Insert rows; return the tables that stay empty, with the last error of each."""
        metadata = reflected(connection)
        random = Random(f"{self.seed} {','.join(sorted(metadata.tables))}")
        partitions = _partitions(connection)
        tables = [each for each in ordered(metadata) if each.name not in partitions]
        empty: dict[str, str] = {}
        while True:
            failed = self._fill_all(connection, tables, random)
            # Tables that refer to each other: one may have to wait for rows of another.
            if not failed or failed.keys() == empty.keys():
                break
            empty = failed
        _refer_in_circles(connection, tables)
        return failed

    def _fill_all(self, connection: Connection, tables: Sequence[Table], random: Random) -> dict[str, str]:
        failed = {}
        for number, table in enumerate(tables):
            self._share = number / len(tables), 1 / len(tables)
            if error := self._fill(connection, table, random):
                failed[table.name] = error
        return failed

    def clear(self, connection: Connection) -> None:
        """Delete every row."""
        for table in reversed(ordered(reflected(connection))):
            connection.execute(table.delete())

    def generated(self, connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
        """Rows for a table, with a value for every column, which are not inserted: a plain one first."""
        maker = self._maker(connection, table, Random(f"{self.seed} {table.name}"), whole=True)
        for attempt in range(_TRIED):
            yield maker.row(is_plain=attempt % 2 == 0)

    def serial(self) -> int:
        """A number that no generated row has."""
        return next(self._serials)

    def _fill(self, connection: Connection, table: Table, random: Random) -> str:
        wanted = self.counts.get(table.name, self.count)
        few = select(1).select_from(table).limit(wanted).subquery()
        there = connection.execute(select(func.count()).select_from(few)).scalar_one()
        first = min(wanted, _ONE_BY_ONE)
        maker = self._maker(connection, table, random)
        error, attempts, in_vain = "", 0, 0
        last: dict[str, Any] | None = None
        while there < first and attempts < _ATTEMPTS + first and in_vain < _IN_VAIN:
            attempts += 1
            is_duplicate = last is not None and attempts % _DUPLICATE_EVERY == 0 and not self.is_plain
            row = maker.again(last) if last is not None and is_duplicate else maker.row()
            inserted, failed = _inserted(connection, table, maker, row)
            if inserted is None:
                # A plain row where the odd one violates a constraint that is not understood here.
                inserted, failed = _inserted(connection, table, maker, maker.row(is_plain=True))
            last = inserted or last
            there += inserted is not None
            in_vain = in_vain + 1 if inserted is None else 0
            error = failed or error
        if wanted > first and 0 < there < wanted:
            Bulk(
                connection=connection,
                table=table,
                random=random,
                fixed=self._fixed_of(table),
                literals=maker.plain_values(),
                own=maker.literals,
                is_unique=is_unique,
                watch=partial(self._report, wanted),
            ).insert(wanted - there, self._serials)
        return error if wanted and not there else ""

    def _maker(self, connection: Connection, table: Table, random: Random, *, whole: bool = False) -> RowMaker:
        return RowMaker(
            connection=connection,
            table=table,
            random=random,
            fixed=self._fixed_of(table),
            serials=self._serials,
            is_plain=self.is_plain,
            whole=whole,
        )

    def _report(self, wanted: int, table: str, rows: int) -> None:
        if self.watch is not None:
            before, part = self._share
            self.watch(table, rows, before + part * rows / wanted)

    def _fixed_of(self, table: Table) -> dict[str, Any]:
        """The given values of a table's columns, by column."""
        names = {column.name: f"{table.name}.{column.name}" for column in table.columns}
        return {name: self.fixed[known] for name, known in names.items() if known in self.fixed}


def _inserted(
    connection: Connection, table: Table, maker: RowMaker, row: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """The row that was inserted, or one that the table takes instead of it; and the last error."""
    error = ""
    candidate: dict[str, Any] | None = row
    for _ in range(_CORRECTED):
        if candidate is None:
            break
        row = candidate
        try:
            with connection.begin_nested():
                connection.execute(table.insert().values(row))
        except (SQLAlchemyError, OverflowError, ValueError) as failure:
            error = reason(failure)
            candidate = maker.instead(row, failure)
        else:
            return row, error
    return None, error


def _partitions(connection: Connection) -> set[str]:
    """The partitions, whose rows are inserted into their table."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(connection.exec_driver_sql("SELECT relname FROM pg_class WHERE relispartition").scalars())


def _refer_in_circles(connection: Connection, tables: Sequence[Table]) -> None:
    """Let some rows refer to a table that had no rows when they were inserted."""
    for table in tables:
        for key in table.foreign_key_constraints:
            columns = {each.parent.name: each.column for each in key.elements}
            if not all(table.columns[name].nullable for name in columns):
                continue
            is_set = or_(*(table.columns[name].is_not(None) for name in columns))
            target = connection.execute(select(*columns.values()).limit(1)).one_or_none()
            if target is None or connection.execute(select(1).select_from(table).where(is_set).limit(1)).first():
                continue
            with suppress(SQLAlchemyError), connection.begin_nested():
                connection.execute(table.update().values(dict(zip(columns, target, strict=True))))


def reflected(connection: Connection) -> MetaData:
    """The tables of a database."""
    return once(connection, "metadata", lambda: _reflected(connection))


def _reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    with warnings.catch_warnings():
        # A type or an index that SQLAlchemy does not know is filled by its default, or left empty.
        warnings.simplefilter("ignore", SAWarning)
        metadata.reflect(connection)
        for schema in catalog.other_schemas(connection):
            metadata.reflect(connection, schema=schema.strip('"').replace('""', '"'))
    return metadata


def ordered(metadata: MetaData) -> list[Table]:
    """The tables, each after those that it refers to; tables that refer to each other in a circle in any order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        return [each for each in metadata.sorted_tables if not is_own(each.name)]
