"""`add_foreign_key`, and orphans: rows whose parent was deleted while they were in the trash."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, ForeignKeyConstraint, MetaData, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import in_two_parts
from service.migrate.operations.step import Precondition, Step, Target

# ON DELETE actions that allow a parent to be deleted.
RELEASING_ACTIONS = ("CASCADE", "SET NULL")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey(Operation):
    """A FOREIGN KEY: NOT VALID first, which locks both tables for a moment, then validated."""

    table: str
    name: str
    columns: tuple[str, ...]
    referred: str
    referred_columns: tuple[str, ...]
    ondelete: str | None = None
    onupdate: str | None = None
    # Whether the same revision adds the columns, which may then be restored from the trash with their values.
    returning: bool = False

    def phases(self, target: Target, /) -> Phases:
        steps = in_two_parts(target, self.table, self.constraint, referred=self.referred)
        releases = self.ondelete in RELEASING_ACTIONS
        return Phases(
            requires=((self.table, self.columns), (self.referred, self.referred_columns)),
            preconditions=(trashed_orphans(self, target) if self.returning and not releases else self._no_orphans(),),
            expand=with_orphans_resolved(steps, self) if self.returning and releases else steps,
        )

    def _no_orphans(self) -> Precondition:
        columns = {name: name for name in self.columns}
        return Precondition(why=self.why, rows=self.orphans(self.table, columns), table=self.table, needs=self.columns)

    @property
    def why(self) -> str:
        return f"Rows of {self.table} violate FOREIGN KEY ({', '.join(self.columns)}) REFERENCES {self.referred}"

    def orphans(self, table: str, columns: Mapping[str, str]) -> str:
        """A SELECT of the values without a parent; `table` and `columns` are the current names."""
        listed = ", ".join(f"child.{ddl.quoted(columns[each])}" for each in self.columns)
        return f"SELECT {listed} FROM {ddl.quoted(table)} AS child WHERE {self.is_orphan(columns)} ORDER BY {listed}"

    def is_orphan(self, columns: Mapping[str, str]) -> str:
        pairs = zip(self.columns, self.referred_columns, strict=True)
        same = " AND ".join(f"parent.{ddl.quoted(there)} = child.{ddl.quoted(columns[here])}" for here, there in pairs)
        known = " AND ".join(f"child.{ddl.quoted(columns[here])} IS NOT NULL" for here in self.columns)
        return f"{known} AND NOT EXISTS (SELECT 1 FROM {ddl.quoted(self.referred)} AS parent WHERE {same})"

    @property
    def constraint(self) -> ForeignKeyConstraint:
        """The constraint, attached to tables that have the columns of the constraint alone, so that it compiles."""
        metadata = MetaData()
        if self.referred != self.table:
            Table(self.referred, metadata, *(Column(name) for name in self.referred_columns))
        there = [f"{self.referred}.{name}" for name in self.referred_columns]
        key = ForeignKeyConstraint(self.columns, there, name=self.name, ondelete=self.ondelete, onupdate=self.onupdate)
        names = {*self.columns, *(self.referred_columns if self.referred == self.table else ())}
        Table(self.table, metadata, *(Column(name) for name in sorted(names)), key)
        return key


def trashed_orphans(key: AddForeignKey, target: Target) -> Precondition:
    """No parent of rows in the trash was deleted in the meantime, where the key's ON DELETE action forbids that."""
    trash_table = ddl.trash_name(target.revision, key.table)
    trash_columns = {name: ddl.trash_name(target.revision, name) for name in key.columns}

    def find(connection: Connection) -> list[tuple[Any, ...]] | str:
        def has(table: str, column: str) -> bool:
            return bool(connection.exec_driver_sql(predicates.has_column(target.dialect, table, column)).scalar())

        if has(trash_table, key.columns[0]):
            return key.orphans(trash_table, {name: name for name in key.columns})
        if has(key.table, trash_columns[key.columns[0]]):
            return key.orphans(key.table, trash_columns)
        return []

    return Precondition(why=f"{key.why}: parents were deleted while the rows were in the trash", rows=find)


def with_orphans_resolved(steps: tuple[Step, ...], key: AddForeignKey, *, rows: bool = False) -> tuple[Step, ...]:
    """The steps of a foreign key, with its ON DELETE action for orphans before VALIDATE.

    With `rows` (the whole table was in the trash) CASCADE deletes orphans; otherwise their columns become NULL.
    """
    columns = {name: name for name in key.columns}
    table = ddl.quoted(key.table)
    change = f"UPDATE {table} AS child SET {', '.join(f'{ddl.quoted(each)} = NULL' for each in columns)}"
    if rows and key.ondelete == "CASCADE":
        change = f"DELETE FROM {table} AS child"
    follow = Step(
        title=f"APPLY ON DELETE OF {key.referred} TO {key.table}",
        statements=(f"{change} WHERE {key.is_orphan(columns)}",),
        scripted=False,
    )
    # After ADD CONSTRAINT NOT VALID, which prevents new orphans.
    return (*steps[:-1], follow, steps[-1])
