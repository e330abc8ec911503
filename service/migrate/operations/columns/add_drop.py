"""Columns that come and go."""

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sqlalchemy import Column, Computed, Connection, Enum, Identity, MetaData, Table, inspect

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite import add_column
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.columns.not_null import optional, primary_key
from service.migrate.operations.step import Check, Lock, Place, Step

# Every row would have a value of its own, so PostgreSQL would write the whole table again under its strongest lock.
_VOLATILE = ("random", "uuid", "nextval", "clock_timestamp", "timeofday")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(Operation):
    """A column that is NULL, or has one default, in the rows that are there: a matter of the catalog alone.

    A downgrade keeps the column aside with all its values, and the next upgrade brings them back; one that is `derived`
    goes, since its values follow from others and the backfill makes them again.
    """

    table: str
    column: Column[Any]
    derived: bool = False

    def needs(self) -> list[Columns]:
        return [(self.table, ())]

    def gives(self) -> list[Columns]:
        return [(self.table, (self.column.name,))]

    def expand(self, place: Place) -> list[Step]:
        _refuse_slow(self.table, self.column)
        if self.derived:
            return [addition(place, self.table, self.column)]
        aside = ddl.trash_name(place.revision, self.column.name)
        add = addition(place, self.table, self.column, undo=(self._put_aside(place, aside),))
        # A run that was killed between the two leaves the column brought back and not added.
        back = replace(brought_back(place, self.table, self.column.name, aside, scripted=False), undo=add.undo)
        return [back, add]

    def _put_aside(self, place: Place, aside: str) -> Step:
        """Kept only if there is a row: an empty table's column holds nothing."""
        there = predicates.has_column(place.dialect, self.table, self.column.name)
        return Step(
            title=f"keep {self.table}.{self.column.name} aside",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.either(predicates.negated(there), predicates.negated(predicates.has_rows(self.table))),
            statements=(rename_column(self.table, self.column.name, aside),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(Operation):
    """A column that no code uses any more: it is kept aside with all its values until `roster db purge`."""

    removes: ClassVar[bool] = True
    table: str
    column: Column[Any]

    def needs(self) -> list[Columns]:
        return [(self.table, (self.column.name,))]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        why = f"{self.table}.{self.column.name} cannot be dropped while something uses it; drop that first"
        return [as_told(self.table, self.column), dependents.of_column(self.table, self.column.name, why)]

    def undo_checks(self, place: Place) -> list[Check]:
        if self.column.nullable or self.column.server_default is not None:
            return []
        name = self.column.name
        aside = ddl.trash_name(place.revision, name)

        def find(connection: Connection) -> str:
            # Under its own name it is when a way back was begun and not ended.
            asked = {each: predicates.has_column(place.dialect, self.table, each) for each in (aside, name)}
            there = [each for each, question in asked.items() if connection.exec_driver_sql(question).scalar()]
            only = f" WHERE {ddl.quoted(there[0])} IS NULL" if there else ""
            key = primary_key(connection, self.table)
            return f"SELECT {key} FROM {ddl.quoted(self.table)}{only} ORDER BY {key}"

        why = f"{self.table}.{name} may not be NULL, and some rows were written without a value for it"
        return [Check(why=why, rows=find, table=self.table, needs=(name,))]

    def expand(self, place: Place) -> list[Step]:
        return set_aside(place, self.table, self.column)

    def purge(self, place: Place) -> list[Step]:
        return [removal(place, self.table, ddl.trash_name(place.revision, self.column.name))]


def set_aside(place: Place, table: str, column: Column[Any]) -> list[Step]:
    """Keep a column out of sight; rows written from now on need no value for it."""
    aside = ddl.trash_name(place.revision, column.name)
    needed = not column.nullable and column.server_default is None
    relax = [optional(place, table, column.name)] if needed else []
    away = Step(
        title=f"keep {table}.{column.name} aside",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.has_column(place.dialect, table, column.name)),
        statements=(rename_column(table, column.name, aside),),
        undo=(
            again(place, table, column, aside),
            brought_back(place, table, column.name, aside),
        ),
    )
    return [*relax, away]


def again(place: Place, table: str, column: Column[Any], aside: str) -> Step:
    """The column made anew, where none is kept aside."""
    kept = predicates.has_column(place.dialect, table, aside)
    there = predicates.has_column(place.dialect, table, column.name)
    nullable = column._copy()  # noqa: SLF001 - as service.migrate.sql does
    nullable.nullable = column.nullable or column.server_default is None
    return replace(addition(place, table, nullable, done=predicates.either(there, kept)), scripted=False)


def brought_back(place: Place, table: str, name: str, aside: str, *, scripted: bool = True) -> Step:
    return Step(
        title=f"bring {table}.{name} back",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.has_column(place.dialect, table, aside)),
        statements=(rename_column(table, aside, name),),
        scripted=scripted,
    )


def addition(
    place: Place, table: str, column: Column[Any], *, done: str | None = None, undo: tuple[Step, ...] = ()
) -> Step:
    """ALTER TABLE ADD COLUMN; undone by `undo` and then by dropping whatever is still there."""
    text = ddl.column_text(column, place.dialect)
    there = predicates.has_column(place.dialect, table, column.name)
    edit = None
    statements: tuple[str, ...] = (f"ALTER TABLE {ddl.quoted(table)} ADD COLUMN {text}",)
    if place.is_sqlite:
        edit, statements = add_column.edit_or_statement(table, text)
    return Step(
        title=f"add the column {table}.{column.name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=done or there,
        statements=statements,
        edit=edit,
        undo=(*undo, replace(removal(place, table, column.name), scripted=not undo)),
    )


def unfilled(place: Place, table: str, column: Column[Any]) -> Step:
    """The column added for a backfill: NULL in the rows that are there, whatever its default."""
    nullable = column._copy()  # noqa: SLF001 - as service.migrate.sql does
    nullable.nullable = True
    default = ddl.default_text(column, place.dialect)
    if place.is_sqlite or default is None:
        return addition(place, table, nullable)
    nullable.server_default = None
    add = addition(place, table, nullable)
    (statement,) = add.statements
    return replace(add, statements=(f"{statement}, ALTER COLUMN {ddl.quoted(column.name)} SET DEFAULT {default}",))


def removal(place: Place, table: str, name: str) -> Step:
    """The column gone for good: on PostgreSQL a matter of the catalog alone."""
    native = f"ALTER TABLE {ddl.quoted(table)} DROP COLUMN {ddl.quoted(name)}"
    edit = Edit(table=table, change=lambda definition: definition.drop_column(name), losing=name)
    return Step(
        title=f"drop the column {table}.{name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.has_column(place.dialect, table, name)),
        statements=() if place.is_sqlite else (native,),
        edit=edit if place.is_sqlite else None,
    )


def rename_column(table: str, name: str, to: str) -> str:
    return f"ALTER TABLE {ddl.quoted(table)} RENAME COLUMN {ddl.quoted(name)} TO {ddl.quoted(to)}"


def as_told(table: str, column: Column[Any]) -> Check:
    """A column is as its definition says: where it may not be NULL, nobody could write without it.

    The way back would make another column of it, too.
    """

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        name = f"{table}.{column.name}"
        there = {each["name"]: each for each in inspect(connection).get_columns(table)}.get(column.name)
        if there is None:
            return []
        found = []
        if there["nullable"] is not column.nullable:
            found.append((dependents.may_be_null(name, is_so=there["nullable"]),))
        if not there["nullable"] and there.get("default") is None and column.server_default is not None:
            found.append((dependents.has_no_default(name),))
        return found

    why = f"{table}.{column.name} is not as it is told to be"
    return Check(why=why, rows=find, table=table, needs=(column.name,))


def refuse_own_values(table: str, column: Column[Any]) -> None:
    """Raises Refused for a column that brings another value for each row."""
    what = f"{table}.{column.name}"
    if isinstance(column.computed, Computed) or isinstance(column.identity, Identity) or column.primary_key:
        raise Refused(f"{what} has a value of its own in each row: PostgreSQL would write the whole table again.")
    default = ddl.default_text(column, "postgresql") or ""
    code = re.sub(r"'(?:[^']|'')*'", "", default).lower()
    if any(word in code for word in _VOLATILE):
        raise Refused(
            f"{what} has the default {default}, another value in each row: PostgreSQL would write the table again. "
            "Add it without, and let ops.set_not_null(…, fill=…) fill it."
        )


def refuse_own_constraints(table: str, column: Column[Any]) -> None:
    """Raises Refused for a column that brings a constraint, an index or a type of its own."""
    what = f"{table}.{column.name}"
    owner = Table(table, MetaData(), column._copy())  # noqa: SLF001 - as service.migrate.sql does
    plain = all(each is owner.primary_key for each in owner.constraints)
    if not plain or owner.indexes or column.constraints:
        raise Refused(
            f"{what} brings a constraint or an index of its own, which would look at every row under a lock. Add the "
            "column alone, then ops.add_check, add_unique, add_foreign_key or create_index."
        )
    refuse_enum(table, column)


def refuse_enum(table: str, column: Column[Any]) -> None:
    """Raises Refused for an enum that PostgreSQL would have to make first."""
    kind = column.type
    if isinstance(kind, Enum) and kind.native_enum and getattr(kind, "create_type", True):
        raise Refused(
            f"{table}.{column.name} is of an enum type of PostgreSQL's own, and code that does not know a value which "
            "is added to that later fails to read it. Make it a text, and hold it to its values with ops.add_check."
        )


def _refuse_slow(table: str, column: Column[Any]) -> None:
    refuse_own_constraints(table, column)
    refuse_own_values(table, column)
    if not column.nullable and column.server_default is None:
        raise Refused(
            f"{table}.{column.name} may not be NULL and has no default: rows that are there, and the code before, have "
            "nothing to put there. Give it a server_default, or add it nullable and call ops.set_not_null(…, fill=…)."
        )
