"""Conversion of a column's values between two types."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection

from service.migrate import naming
from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.comparison import differ
from service.migrate.dialects.postgresql import carry
from service.migrate.dialects.sqlite import add_column, clauses
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.edit import Edit, edit
from service.migrate.dialects.types import affinity
from service.migrate.operations.columns.actions import unfilled, without_default
from service.migrate.operations.step import Backfill, Lock, Step, Target
from service.migrate.operations.triggers.sync import converted
from service.migrate.operations.triggers.trigger import Rank, guarded, row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The column's old and new definition, and the SQL expressions `using` and `back` between their values."""

    table: str
    was: Column[Any]
    column: Column[Any]
    using: str
    back: str
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def shadow(self) -> Column[Any]:
        """The shadow column: the new type under a temporary name, filled before the swap."""
        return renamed(self.column, ddl.fitting(f"_next_{self.name}"))

    @property
    def reversed(self) -> "Conversion":
        return Conversion(
            table=self.table, was=self.column, column=self.was, using=self.back, back=self.using, key=self.key
        )

    @property
    def keeps_old_values(self) -> bool:
        """Whether SQLite keeps the old values in the trash, since `back` may not restore them exactly."""
        same = affinity(self.was.type) == affinity(self.column.type)
        return not (self.using == self.back == "{}" and same)

    def fill(self, shadow: Column[Any]) -> Backfill:
        """Backfill of the shadow column with the converted values."""
        name, value = ddl.quoted(shadow.name), converted(self.using, ddl.quoted(self.name))
        return Backfill(
            name=f"{self.table}.{shadow.name}",
            table=self.table,
            key=self.key,
            left=differ("postgresql", shadow, name, value),
            assign={shadow.name: value},
        )

    def fill_back(self, trash: Column[Any]) -> Backfill:
        """Backfill of the old column for the downgrade, in the rows whose new value was changed since the swap."""
        name, old = ddl.quoted(self.name), ddl.quoted(trash.name)
        from_new = converted(self.back, name)
        differs = differ("postgresql", self.column, name, converted(self.using, old))
        return Backfill(
            name=f"{self.table}.{trash.name}",
            table=self.table,
            key=self.key,
            left=f"{differs} AND {differ('postgresql', trash, old, from_new)}",
            assign={trash.name: from_new},
        )

    def trigger(self, target: Target, shadow: str) -> Step:
        """A trigger that writes the converted value into the shadow column."""
        new, value = f"NEW.{ddl.quoted(shadow)}", converted(self.using, f"NEW.{ddl.quoted(self.name)}")
        return self._trigger(target, shadow, guarded(f"{new} := {value}", f"{new} := NULL"))

    def trigger_back(self, target: Target, trash: str) -> Step:
        """A trigger that writes the value back into the old column where the two differ."""
        new, old = f"NEW.{ddl.quoted(self.name)}", f"NEW.{ddl.quoted(trash)}"
        differs = differ("postgresql", self.column, new, converted(self.using, old))
        back = f"IF {differs} THEN {old} := {converted(self.back, new)}; END IF"
        return self._trigger(target, self.name, guarded(back, f"{old} := NULL"))

    def trigger_name(self, column: str) -> str:
        return naming.owned(f"type_{self.table}_{column}")

    def _trigger(self, target: Target, name: str, body: str) -> Step:
        return row_trigger(
            target, self.table, self.trigger_name(name), rank=Rank.TYPE, key=self.key, postgresql=lambda: body
        )


def renamed(column: Column[Any], name: str) -> Column[Any]:
    """The column under another name, and nullable."""
    copy = column._copy()  # noqa: SLF001 - as service.migrate.sql does
    copy.name = copy.key = name
    copy.nullable = True
    return copy


def shadowed(target: Target, conversion: Conversion) -> Step:
    """ADD COLUMN of the shadow column, with what belongs to the column that it replaces, on PostgreSQL.

    The swap gives it the default: until then the trigger sets its values.
    """
    shadow = without_default(conversion.shadow)
    add = unfilled(target, conversion.table, shadow)
    carried = carry.carry_column(conversion.table, conversion.name, shadow.name)
    return replace(add, statements=(*add.statements, carried))


def default_changed(table: str, was: Column[Any], now: Column[Any]) -> tuple[str, ...]:
    """ALTER COLUMN SET or DROP DEFAULT, if the default differs too."""
    before, after = (ddl.default_text(each, "postgresql") for each in (was, now))
    if before == after:
        return ()
    action = "DROP DEFAULT" if after is None else f"SET DEFAULT {after}"
    return (f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN {ddl.quoted(now.name)} {action}",)


def default_moved(table: str, column: Column[Any], other: str) -> tuple[str, ...]:
    """SET DEFAULT of the column, and DROP DEFAULT of the other: a default is evaluated once for each row."""
    alter = f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN"
    default = ddl.default_text(column, "postgresql")
    given = () if default is None else (f"{alter} {ddl.quoted(column.name)} SET DEFAULT {default}",)
    return (*given, f"{alter} {ddl.quoted(other)} DROP DEFAULT")


def on_sqlite(target: Target, conversion: Conversion) -> Step:
    """SQLite: change the column in one transaction; keep its old values in the trash where converting loses them."""
    table, name = conversion.table, conversion.name
    title = f"SET DATA TYPE {table}.{name}"
    if not conversion.keeps_old_values:
        forth = Edit(table=table, change=_with_type(conversion.column))
        back = Edit(table=table, change=_with_type(conversion.was))
        undo = Step(title=title, lock=Lock.ACCESS_EXCLUSIVE, tables=(table,), edit=back)
        return Step(title=title, lock=Lock.ACCESS_EXCLUSIVE, tables=(table,), edit=forth, undo=(undo,))
    trash = ddl.trash_name(target.revision, name)
    column, old, there = ddl.quoted(name), ddl.quoted(trash), predicates.has_column("sqlite", table, trash)
    add = f"ALTER TABLE {ddl.quoted(table)} ADD COLUMN {old} {ddl.type_text(conversion.was, 'sqlite')}"
    using, back_value = converted(conversion.using, old), converted(conversion.back, column)
    update = f"UPDATE {ddl.quoted(table)} SET"

    def change(connection: Connection) -> tuple[str, ...]:
        for statement in (add, f"{update} {old} = {column}"):
            connection.exec_driver_sql(statement)
        edit(connection, [Edit(table=table, change=_with_type(conversion.column))])
        return (f"{update} {column} = {using}",)

    def change_back(connection: Connection) -> tuple[str, ...]:
        # A value that has not changed since is restored from the trash: `back` may not return it exactly.
        changed = (
            f" WHERE {differ('sqlite', conversion.column, column, using)} OR ({old} IS NULL AND {column} IS NOT NULL)"
        )
        if not connection.exec_driver_sql(there).scalar():
            connection.exec_driver_sql(add)
            changed = ""
        connection.exec_driver_sql(f"{update} {old} = {back_value}{changed}")
        edit(connection, [Edit(table=table, change=_with_type(conversion.was))])
        connection.exec_driver_sql(f"{update} {column} = {old}")
        edit(connection, [Edit(table=table, change=lambda definition: definition.drop_column(trash), losing=trash)])
        return ()

    undo = Step(title=title, lock=Lock.ACCESS_EXCLUSIVE, tables=(table,), generate=change_back)
    return Step(
        title=f"{title}, COPY OLD VALUES TO TRASH",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=there,
        generate=change,
        undo=(undo,),
    )


def _with_type(column: Column[Any]) -> Callable[[Definition], Definition]:
    written = add_column.parenthesised(clauses.column(ddl.column_text(column, "sqlite")))

    def changed(was: clauses.Column) -> clauses.Column:
        was = was.with_type(written.type)
        for kind in ("COLLATE", "DEFAULT"):
            after = written.clause(kind)
            if before := was.clause(kind):
                was = was.without(before)
            if after is not None:
                was = was.with_clause(written.text_of(after))
        return was

    return lambda definition: definition.change_column(column.name, changed)
