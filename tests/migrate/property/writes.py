"""Writes of the old and of the new version, each made to the table and to its twin."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import asyncpg

from tests.alembic.store import Store
from tests.migrate.property.changes import Change
from tests.migrate.property.tables import APP, Column, Table, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The table and columns by the names that one version uses; a column that is gone has none."""

    table: str
    columns: Mapping[str, str | None]

    def of(self, column: Column) -> str:
        name = self.columns[column.name]
        return "" if name is None else quoted(name)


@dataclass(kw_only=True)
class Writer:
    """Makes random writes to both tables: both succeed, or neither."""

    store: Store
    table: Table
    change: Change
    twin: str
    random: Random
    next_key: int = 1
    # Whether a new column may still be NULL in a row that the old version wrote before the upgrade.
    may_be_unfilled: bool = False
    told: list[str] = field(default_factory=list)

    async def write(self, names: Names) -> str:
        """Make a random write under these names; the fault, if the two tables answer differently."""
        choice = self.random.random()
        if choice < 0.4:
            return await self.insert(names)
        where = " AND ".join(f"{{{each.name}}} = {self._some_key()}" for each in self.table.key[:1])
        if choice < 0.5:
            return await self._made(f"DELETE FROM {{}} WHERE {where}", names)
        settings = [f"{{{each.name}}} = {self._set(each, names)}" for each in self._some(names)]
        return await self._made(f"UPDATE {{}} SET {', '.join(settings)} WHERE {where}", names) if settings else ""

    async def insert(self, names: Names) -> str:
        columns = self._some(names)
        keys = [str(self.next_key)] * len(self.table.key)
        self.next_key += 1
        listed = ", ".join(f"{{{each.name}}}" for each in (*self.table.key, *columns))
        values = ", ".join([*keys, *(self._value(each) for each in columns)])
        return await self._made(f"INSERT INTO {{}} ({listed}) VALUES ({values})", names)

    async def compare(self, names: Names) -> str:
        """The fault, if a version reads other values than the twin holds."""
        kept = [each for each in self.table.every if names.of(each)]
        found = await self._read(names.table, {each.name: names.of(each) for each in kept})
        expected = await self._read(self.twin, {each.name: quoted(each.name) for each in kept})
        for one, other in zip(found, expected, strict=False):
            if one != other and not self._is_unfilled(kept, names, one, other):
                return f"under {names.table}: {names.columns} the table holds {one}, and the twin {other}"
        return "" if len(found) == len(expected) else f"{len(found)} rows instead of {len(expected)}"

    def _is_unfilled(
        self, kept: list[Column], names: Names, one: tuple[object, ...], other: tuple[object, ...]
    ) -> bool:
        """Whether two rows differ only where the backfill has not come yet."""
        return self.may_be_unfilled and all(
            mine == twins or (mine is None and names.of(column) != quoted(column.name))
            for column, mine, twins in zip(kept, one, other, strict=True)
        )

    async def _read(self, table: str, columns: Mapping[str, str]) -> list[tuple[object, ...]]:
        read = ", ".join(self._as_text(name, column) for name, column in columns.items())
        order = ", ".join(str(number + 1) for number in range(len(self.table.key)))
        rows = await self.store.execute(f"SELECT {read} FROM {quoted(table)} ORDER BY {order}")
        return [tuple(row.values()) for row in rows]

    def _as_text(self, name: str, column: str) -> str:
        if name in self.change.fills:
            kind = next(each.kind.sql for each in self.table.columns if each.name == name)
            fill = self.change.fills[name]
            column = f"coalesce({column}, {fill if self.store.backend == 'sqlite' else f'CAST({fill} AS {kind})'})"
        if name in self.change.types:
            column = f"CAST({column} AS {self.change.types[name]})"
        given = quoted(name)
        if self.store.backend == "sqlite":
            return f"typeof({column}) || ' ' || quote({column}) AS {given}"
        return f"{column}::text AS {given}"

    def _some(self, names: Names) -> list[Column]:
        """Columns that a write names; each of them where the default may differ."""
        there = [each for each in self.table.columns if names.of(each)]
        if self.change.title == "set_default":
            return there
        needed = [each for each in there if not each.nullable and each.default is None]
        return [each for each in there if each in needed or self.random.random() < 0.6]

    def _set(self, column: Column, names: Names) -> str:
        """A value to update with; before the backfill, a NULL under a new name says no more than an unfilled row."""
        if self.may_be_unfilled and names.of(column) != quoted(column.name):
            return self.random.choice(column.kind.values)
        return self._value(column)

    def _value(self, column: Column) -> str:
        if column.nullable and self.random.random() < 0.2:
            return "NULL"
        return self.random.choice(column.kind.values)

    def _some_key(self) -> str:
        return str(self.random.randint(1, max(1, self.next_key - 1)))

    async def _made(self, statement: str, names: Names) -> str:
        """Execute a statement on the table and on the twin; the fault, if only one of them takes it."""
        main = self._spelt(statement, names.table, {each.name: names.of(each) for each in self.table.every})
        twin = self._spelt(statement, self.twin, {each.name: quoted(each.name) for each in self.table.every})
        await self._say("BEGIN")
        answers = [await self._answer(each) for each in (main, twin)]
        await self._say("ROLLBACK" if any(answers) else "COMMIT")
        self.told.append(f"{main} -> {answers[0] or 'done'}")
        if bool(answers[0]) == bool(answers[1]):
            return ""
        if (answers[0] and self.change.is_narrower) or (answers[1] and self.change.is_wider):
            return ""
        return f"`{main}` -> {answers[0] or 'done'}; on the twin -> {answers[1] or 'done'}"

    def _spelt(self, statement: str, table: str, columns: Mapping[str, str]) -> str:
        for name, column in columns.items():
            statement = statement.replace(f"{{{name}}}", column)
        return statement.replace("{}", quoted(table), 1)

    async def _answer(self, statement: str) -> str:
        """What the database says against a statement, or nothing."""
        await self._say("SAVEPOINT one")
        try:
            if self.table.has_app:
                await self._say(f"SET LOCAL ROLE {APP}")
            await self._say(statement)
        except (asyncpg.PostgresError, sqlite3.Error) as error:
            await self._say("ROLLBACK TO one")
            return f"{type(error).__name__}: {error}"
        if self.table.has_app:
            await self._say("RESET ROLE")
        return ""

    async def _say(self, statement: str) -> None:
        if self.store.backend == "postgresql":
            await self.store.connection.execute(statement)
        else:
            self.store.connection.execute(statement)
