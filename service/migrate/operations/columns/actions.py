"""Steps that several operations on columns share."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, DefaultClause

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite import add_column, clauses
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.dialects.sqlite.tokens import spelled
from service.migrate.operations.step import Lock, Step, Target, altered


def addition(
    target: Target, table: str, column: Column[Any], *, done: str | None = None, undo: tuple[Step, ...] = ()
) -> Step:
    """ALTER TABLE ADD COLUMN; its undo is `undo`, then DROP COLUMN if the column still exists."""
    text = ddl.column_text(column, target.dialect)
    there = predicates.has_column(target.dialect, table, column.name)
    edit = None
    statements: tuple[str, ...] = (
        f"ALTER TABLE {ddl.quoted(table)} ADD COLUMN {text}",
        *ddl.comments(column, target.dialect, table),
    )
    if target.is_sqlite:
        edit, statements = add_column.edit_or_statement(table, text)
    return Step(
        title=f"ADD COLUMN {table}.{column.name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=done or there,
        statements=statements,
        edit=edit,
        undo=(*undo, replace(removal(target, table, column.name), scripted=not undo)),
    )


def unfilled(target: Target, table: str, column: Column[Any]) -> Step:
    """ALTER TABLE ADD COLUMN for a backfill: existing rows get NULL, and new rows the column's default."""
    nullable = column._copy()  # noqa: SLF001 - as dialects.ddl does
    nullable.nullable = True
    default = ddl.default_text(column, target.dialect)
    if target.is_sqlite or default is None:
        return addition(target, table, nullable)
    nullable.server_default = None
    add = addition(target, table, nullable)
    statement, *comments = add.statements
    with_default = f"{statement}, ALTER COLUMN {ddl.quoted(column.name)} SET DEFAULT {default}"
    return replace(add, statements=(with_default, *comments))


def with_default(column: Column[Any], default: str | None) -> Column[Any]:
    """The column with this server default, an SQL expression, instead of its own."""
    copy = column._copy()  # noqa: SLF001 - as dialects.ddl does
    copy.server_default = None if default is None else DefaultClause(ddl.verbatim(default))
    return copy


def without_default(column: Column[Any]) -> Column[Any]:
    return with_default(column, None)


def removal(target: Target, table: str, name: str) -> Step:
    """ALTER TABLE DROP COLUMN; on PostgreSQL a change of the catalog alone."""
    return altered(
        target,
        f"DROP COLUMN {table}.{name}",
        f"ALTER TABLE {ddl.quoted(table)} DROP COLUMN {ddl.quoted(name)}",
        Edit(table=table, change=lambda definition: definition.drop_column(name), losing=name),
        done=predicates.negated(predicates.has_column(target.dialect, table, name)),
    )


def moved_to_trash(target: Target, table: str, column: Column[Any]) -> Step:
    """Rename the column into the trash; the undo renames it back, or adds it if the trash does not hold it."""
    trash = ddl.trash_name(target.revision, column.name)
    return Step(
        title=f"MOVE COLUMN {table}.{column.name} TO TRASH",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.has_column(target.dialect, table, column.name)),
        **renamed(target, table, column.name, trash),
        undo=(_recreated(target, table, column, trash), restored(target, table, column.name, trash)),
    )


def restored(target: Target, table: str, name: str, trash: str, *, scripted: bool = True) -> Step:
    """Rename the column out of the trash, if it is there."""
    return Step(
        title=f"RESTORE COLUMN {table}.{name} FROM TRASH",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.negated(predicates.has_column(target.dialect, table, trash)),
        **renamed(target, table, trash, name),
        scripted=scripted,
    )


def _recreated(target: Target, table: str, column: Column[Any], trash: str) -> Step:
    """Add the column, unless the trash holds it."""
    kept = predicates.has_column(target.dialect, table, trash)
    there = predicates.has_column(target.dialect, table, column.name)
    nullable = column._copy()  # noqa: SLF001 - as dialects.ddl does
    nullable.nullable = column.nullable or column.server_default is None
    return replace(addition(target, table, nullable, done=predicates.either(there, kept)), scripted=False)


def renamed(target: Target, table: str, name: str, to: str) -> dict[str, Any]:
    """The statements of a step that moves a column to the trash or from it: on SQLite its name keeps its spelling."""
    if not target.is_sqlite:
        return {"statements": (rename_column(table, name, to),)}

    def generate(connection: Connection) -> Iterable[str]:
        there = connection.exec_driver_sql(f"SELECT name FROM pragma_table_xinfo({ddl.literal(table)})").scalars()
        return [rename_column(table, *spelled(there, name, to))]

    return {"generate": generate}


def rename_column(table: str, name: str, to: str) -> str:
    return f"ALTER TABLE {ddl.quoted(table)} RENAME COLUMN {ddl.quoted(name)} TO {ddl.quoted(to)}"


def required(target: Target, table: str, column: str) -> tuple[Step, ...]:
    """SET NOT NULL without a scan under ACCESS EXCLUSIVE: add a NOT VALID check, validate it, set NOT NULL, drop it.

    https://www.postgresql.org/docs/current/sql-altertable.html: SET NOT NULL skips its scan for a valid check.
    """
    holds = predicates.refuses_null(target.dialect, table, column)
    if target.is_sqlite:
        return (
            Step(
                title=f"SET NOT NULL {table}.{column}",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(table,),
                done=holds,
                edit=Edit(table=table, change=_with_not_null(column)),
                undo=(optional(target, table, column, undoable=False),),
            ),
        )
    check = ddl.inner_name(f"ck_{table}_{column}_not_null")
    alter = f"ALTER TABLE {ddl.quoted(table)}"
    drop = f"{alter} DROP CONSTRAINT IF EXISTS {ddl.quoted(check)}"
    there = predicates.has_constraint(target.dialect, table, check)
    return (
        Step(
            title=f"ADD CHECK ({table}.{column} IS NOT NULL) NOT VALID",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table,),
            done=predicates.either(there, holds),
            statements=(
                f"{alter} ADD CONSTRAINT {ddl.quoted(check)} CHECK ({ddl.quoted(column)} IS NOT NULL) NOT VALID",
            ),
            undo=(
                Step(
                    title=f"DROP CHECK ({table}.{column} IS NOT NULL)",
                    lock=Lock.ACCESS_EXCLUSIVE,
                    tables=(table,),
                    done=predicates.negated(there),
                    statements=(drop,),
                ),
            ),
        ),
        Step(
            title=f"VALIDATE CHECK ({table}.{column} IS NOT NULL)",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(table,),
            done=predicates.either(predicates.has_constraint(target.dialect, table, check, valid=True), holds),
            statements=(f"{alter} VALIDATE CONSTRAINT {ddl.quoted(check)}",),
        ),
        Step(
            title=f"SET NOT NULL {table}.{column}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table,),
            done=predicates.both(holds, predicates.negated(there)),
            statements=(f"{alter} ALTER COLUMN {ddl.quoted(column)} SET NOT NULL", drop),
            undo=(optional(target, table, column, undoable=False),),
        ),
    )


def optional(target: Target, table: str, column: str, *, undoable: bool = True) -> Step:
    """DROP NOT NULL, a change of the catalog alone; `undoable` adds the steps that set NOT NULL again."""
    return altered(
        target,
        f"DROP NOT NULL {table}.{column}",
        f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN {ddl.quoted(column)} DROP NOT NULL",
        Edit(table=table, change=_without_not_null(column)),
        done=predicates.negated(predicates.refuses_null(target.dialect, table, column)),
        undo=required(target, table, column) if undoable else (),
    )


def _with_not_null(column: str) -> Callable[[Definition], Definition]:
    return lambda definition: definition.change_column(column, lambda was: _nullable(was).with_clause("NOT NULL"))


def _without_not_null(column: str) -> Callable[[Definition], Definition]:
    return lambda definition: definition.change_column(column, _nullable)


def _nullable(column: clauses.Column) -> clauses.Column:
    for kind in ("NOT NULL", "NULL"):
        if clause := column.clause(kind):
            column = column.without(clause)
    return column
