"""`add_foreign_key`, and orphans: rows whose parent was deleted while they were in the trash."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeGuard

from sqlalchemy import Column, Connection, ForeignKeyConstraint, MetaData, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.operations import dependents
from service.migrate.operations.attributes import refuse_constraint
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.constraints.actions import deferrability, in_two_parts, is_not_valid
from service.migrate.operations.definitions import Same, same_constraint
from service.migrate.operations.step import CATALOG, Precondition, Step, Target

# ON DELETE actions that allow a parent to be deleted; SET NULL may list some of the columns.
_RELEASING = re.compile(r"(?P<cascade>CASCADE)|SET\s+NULL(?:\s*\((?P<columns>.+)\))?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class AddForeignKey(Operation):
    """A FOREIGN KEY: NOT VALID first, which locks both tables for a moment, then validated.

    `options` are arguments of sa.ForeignKeyConstraint.
    """

    table: str
    name: str
    columns: tuple[str, ...]
    referred: str
    referred_columns: tuple[str, ...]
    ondelete: str | None = None
    onupdate: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    # Whether the same revision adds the columns, which may then be restored from the trash with their values.
    returning: bool = False

    def phases(self, target: Target, /) -> Phases:
        refuse_constraint(self.table, self.constraint, target)
        steps = in_two_parts(target, self.table, self.constraint, referred=self.referred)
        return Phases(
            requires=((self.table, self.columns), (self.referred, self.referred_columns)),
            preconditions=(self.same(target), *self._checked(target)),
            expand=with_orphans_resolved(steps, self) if self.returning and self.releases else steps,
            adds=frozenset({dependents.constraint(self.table, self.name)}),
        )

    def same(self, target: Target, *, drops: bool = False) -> Same:
        """A foreign key of this name has this definition."""
        clause = ddl.constraint_text(self.constraint, target.dialect) if target.is_sqlite else self._clause
        comment = self.options.get("comment")
        return same_constraint(target, self.table, self.name, clause, comment=comment, drops=drops)

    @property
    def _clause(self) -> str:
        """The foreign key as pg_get_constraintdef writes it."""
        match = " MATCH FULL" if str(self.options.get("match")).upper() == "FULL" else ""
        rules = (("UPDATE", self.onupdate), ("DELETE", self.ondelete))
        actions = "".join(f" ON {on} {rule.upper() if '(' not in rule else rule}" for on, rule in rules if _acts(rule))
        not_valid = " NOT VALID" if is_not_valid(self.constraint) else ""
        return (
            f"FOREIGN KEY ({ddl.listed(self.columns)}) REFERENCES {ddl.quoted(self.referred)}"
            f"({ddl.listed(self.referred_columns)}){match}{actions}{deferrability(self.constraint)}{not_valid}"
        )

    @property
    def releases(self) -> bool:
        """Whether a parent may be deleted: ON DELETE CASCADE, or SET NULL."""
        return _RELEASING.fullmatch(self.ondelete or "") is not None

    def _checked(self, target: Target) -> tuple[Precondition, ...]:
        if is_not_valid(self.constraint) and not target.is_sqlite:
            return ()
        return (trashed_orphans(self, target) if self.returning and not self.releases else self._no_orphans(),)

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
        # MATCH FULL refuses a row with a value for some of the columns, too.
        is_full = str(self.options.get("match")).upper() == "FULL" and len(self.columns) > 1
        known = (" OR " if is_full else " AND ").join(
            f"child.{ddl.quoted(columns[here])} IS NOT NULL" for here in self.columns
        )
        known = f"({known})" if is_full else known
        return f"{known} AND NOT EXISTS (SELECT 1 FROM {ddl.quoted(self.referred)} AS parent WHERE {same})"

    @cached_property
    def constraint(self) -> ForeignKeyConstraint:
        """The constraint, attached to tables that have the columns of the constraint alone, so that it compiles."""
        metadata = MetaData()
        if self.referred != self.table:
            Table(self.referred, metadata, *(Column(name) for name in self.referred_columns))
        there = [f"{self.referred}.{name}" for name in self.referred_columns]
        key = ForeignKeyConstraint(
            self.columns, there, name=self.name, ondelete=self.ondelete, onupdate=self.onupdate, **self.options
        )
        names = {*self.columns, *(self.referred_columns if self.referred == self.table else ())}
        Table(self.table, metadata, *(Column(name) for name in sorted(names)), key)
        return key


def _acts(rule: str | None) -> TypeGuard[str]:
    return rule is not None and rule.upper() != "NO ACTION"


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

    # A script is refused while the trash holds something of its revision.
    why = f"{key.why}: parents were deleted while the rows were in the trash"
    return Precondition(why=why, rows=find, script=CATALOG)


def with_orphans_resolved(steps: tuple[Step, ...], key: AddForeignKey, *, rows: bool = False) -> tuple[Step, ...]:
    """The steps of a foreign key, with its ON DELETE action for orphans before VALIDATE.

    With `rows` (the whole table was in the trash) CASCADE deletes orphans; otherwise their columns become NULL.
    """
    columns = {name: name for name in key.columns}
    table = ddl.quoted(key.table)
    rule = _RELEASING.fullmatch(key.ondelete or "")
    listed = rule["columns"] if rule and rule["columns"] else ddl.listed(columns)
    change = f"UPDATE {table} AS child SET {', '.join(f'{each.strip()} = NULL' for each in listed.split(','))}"
    if rows and rule and rule["cascade"]:
        change = f"DELETE FROM {table} AS child"
    follow = Step(
        title=f"APPLY ON DELETE OF {key.referred} TO {key.table}",
        statements=(f"{change} WHERE {key.is_orphan(columns)}",),
        scripted=False,
    )
    # After ADD CONSTRAINT NOT VALID, which prevents new orphans.
    added = len(steps) if is_not_valid(key.constraint) else len(steps) - 1
    return (*steps[:added], follow, *steps[added:])
