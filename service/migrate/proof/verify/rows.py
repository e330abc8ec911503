"""Rows for every table of a database, the same for the same seed, with the values that break migrations."""

import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, UniqueConstraint, func, inspect, select
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.verify.bulk import Bulk
from service.migrate.proof.verify.samples import samples

_ATTEMPTS = 40
_TRIED = 20
# More rows than these are plain ones, inserted in chunks.
_ONE_BY_ONE = 100
# Called with a table and how many rows it has, after each chunk.
Watch = Callable[[str, int], None]


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
    _serials: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    def fill(self, connection: Connection) -> dict[str, str]:
        """Insert rows; return the tables that stay empty, with the last error of each."""
        metadata = reflected(connection)
        random = Random(f"{self.seed} {','.join(sorted(metadata.tables))}")
        empty = {}
        for table in ordered(metadata):
            if error := self._fill(connection, table, random):
                empty[table.name] = error
        return empty

    def clear(self, connection: Connection) -> None:
        """Delete every row."""
        for table in reversed(ordered(reflected(connection))):
            connection.execute(table.delete())

    def generated(self, connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
        """Rows for a table, which are not inserted: a plain one first."""
        random = Random(f"{self.seed} {table.name}")
        literals = _literals(connection, table)
        for attempt in range(_TRIED):
            is_plain = self.is_plain or attempt % 2 == 0
            yield dict(self._values(connection, table, random, literals, is_plain=is_plain))

    def serial(self) -> int:
        """A number that no generated row has."""
        return next(self._serials)

    def _fill(self, connection: Connection, table: Table, random: Random) -> str:
        wanted = self.counts.get(table.name, self.count)
        few = select(1).select_from(table).limit(wanted).subquery()
        there = connection.execute(select(func.count()).select_from(few)).scalar_one()
        error, attempts = "", 0
        literals = _literals(connection, table)
        first = min(wanted, _ONE_BY_ONE)
        while there < first and attempts < _ATTEMPTS + first:
            attempts += 1
            # A row of plain values where the odd ones violate a constraint that is not understood here.
            is_plain = self.is_plain or attempts % 2 == 0
            values = dict(self._values(connection, table, random, literals, is_plain=is_plain))
            try:
                with connection.begin_nested():
                    connection.execute(table.insert().values(values))
            except (SQLAlchemyError, OverflowError, ValueError) as failure:
                error = " ".join(str(getattr(failure, "orig", None) or failure).split())
                continue
            there += 1
        if wanted > first and 0 < there < wanted:
            Bulk(
                connection=connection,
                table=table,
                random=random,
                fixed=self._fixed_of(table),
                literals=literals,
                is_unique=is_unique,
                watch=self.watch,
            ).insert(wanted - there, self._serials)
        return error if wanted and not there else ""

    def _fixed_of(self, table: Table) -> dict[str, Any]:
        """The given values of a table's columns, by column."""
        names = {column.name: f"{table.name}.{column.name}" for column in table.columns}
        return {name: self.fixed[known] for name, known in names.items() if known in self.fixed}

    def _values(
        self, connection: Connection, table: Table, random: Random, literals: dict[str, list[Any]], *, is_plain: bool
    ) -> Iterator[tuple[str, Any]]:
        referred, fixed = _referred(connection, table, random), self._fixed_of(table)
        for column in table.columns:
            if column.computed is not None or (column.identity is not None and column.identity.always):
                continue
            if column.name in fixed:
                yield column.name, fixed[column.name]
            elif column.name in referred:
                yield column.name, referred[column.name]
            elif column.nullable and not column.primary_key and random.random() < 0.3:
                yield column.name, None
            elif column.server_default is not None and random.random() < 0.3:
                continue
            else:
                yield column.name, self._value(table, column, random, literals, is_plain=is_plain)

    def _value(
        self, table: Table, column: Column[Any], random: Random, literals: dict[str, list[Any]], *, is_plain: bool
    ) -> Any:
        serial = next(self._serials)
        if given := literals.get(column.name):
            return random.choice(given)
        odd, plain = samples(column.type, serial)
        if is_plain or not odd or is_unique(table, column):
            return plain
        return random.choice(odd)


def reflected(connection: Connection) -> MetaData:
    """The tables of a database."""
    metadata = MetaData()
    with warnings.catch_warnings():
        # A type or an index that SQLAlchemy does not know is filled by its default, or left empty.
        warnings.simplefilter("ignore", SAWarning)
        metadata.reflect(connection)
    return metadata


def ordered(metadata: MetaData) -> list[Table]:
    """The tables, each after those that it refers to; tables that refer to each other in a circle in any order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        return [each for each in metadata.sorted_tables if not is_own(each.name)]


def is_unique(table: Table, column: Column[Any]) -> bool:
    """Whether a column is in a key, a unique constraint or a unique index."""
    constraints = [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [each.columns for each in table.indexes if each.unique]
    return column.primary_key or any(column.name in each for each in (*constraints, *indexes))


def _referred(connection: Connection, table: Table, random: Random) -> dict[str, Any]:
    """Values of the columns with foreign keys, from rows that exist; None where there are none, or for a while."""
    found: dict[str, Any] = {}
    for key in table.foreign_key_constraints:
        columns = [each.parent for each in key.elements]
        is_optional = all(column.nullable for column in columns)
        target = [each.column for each in key.elements]
        rows = connection.execute(select(*target).limit(100)).all()
        row = random.choice(rows) if rows and not (is_optional and random.random() < 0.3) else [None] * len(columns)
        found |= dict(zip((column.name for column in columns), row, strict=True))
    return found


def _literals(connection: Connection, table: Table) -> dict[str, list[Any]]:
    """The literals that check constraints compare a column with, such as those of an enumeration."""
    found: dict[str, list[Any]] = {}
    for check in inspect(connection).get_check_constraints(table.name):
        names = [each.name for each in table.columns if re.search(rf"\b{re.escape(each.name)}\b", check["sqltext"])]
        texts = re.findall(r"'((?:[^']|'')*)'", check["sqltext"])
        listed = re.search(r"\bIN\b|\bANY\b|=", check["sqltext"], re.IGNORECASE)
        if len(names) == 1 and texts and listed:
            found[names[0]] = [each.replace("''", "'") for each in texts]
    return found
