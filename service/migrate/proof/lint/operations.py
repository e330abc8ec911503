"""Safe operations as the plain SQL that they stand for, and their calls recorded with the line of each."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations import indexes, raw_sql
from service.migrate.operations.base import Operation, Recorded
from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import AddColumn, DropColumn
from service.migrate.operations.columns.default import SetDefault
from service.migrate.operations.columns.not_null import DropNotNull, SetNotNull
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.operations.constraints.check_unique import AddCheck, AddUnique
from service.migrate.operations.constraints.drop_replace import DropConstraint, ReplaceConstraint
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.step import Target
from service.migrate.operations.tables.create_drop import CreateTable, DropTable
from service.migrate.operations.tables.rename import RenameTable
from service.migrate.operations.triggers.trigger import DropFunction, DropTrigger, Function, Trigger
from service.migrate.plan.faults import explained
from service.migrate.plan.recorder import recorded
from service.migrate.proof.lint.calls import Call, Stop, Style
from service.migrate.proof.lint.recording import lines_of

UPGRADE, CONTRACT, DOWNGRADE = "upgrade", "contract", "downgrade"
_PG = "postgresql"


class _Noted(list[Recorded]):
    """A list that notes the line of the call that appends."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file
        self.lines: list[tuple[int, ...]] = []

    def append(self, recorded: Recorded) -> None:
        self.lines.append(lines_of(self.file))
        super().append(recorded)


def calls_of(
    function: Callable[[], Any], file: str, phase: str, target: Target
) -> tuple[list[Call], Stop | None, list[Operation]]:
    """The calls of a function of a revision in safe style; the statements of what comes later are in its phase."""
    noted = _Noted(file)
    stop = None
    try:
        with explained(file):
            recorded(function, target, noted)
    except Refused as refused:
        stop = Stop.of(refused, phase)
    operations = [each.operation for each in noted]
    found = [
        call
        for operation, lines in zip(operations, noted.lines, strict=True)
        for call in _calls(operation, phase, lines, target.dialect)
    ]
    return found, stop, operations


def _calls(operation: Operation, phase: str, lines: tuple[int, ...], database: str) -> Iterator[Call]:
    if isinstance(operation, raw_sql.Execute):
        yield from _raw(operation, phase, lines, database)
        return
    for when, text in _statements(operation, database):
        yield Call(
            phase=when or phase,
            style=Style.SAFE,
            text=text,
            lines=lines,
            database=database,
            is_directive=True,
            operation=operation,
        )


def _raw(operation: raw_sql.Execute, phase: str, lines: tuple[int, ...], database: str) -> Iterator[Call]:
    """The statements of ops.execute, and those that a downgrade runs to undo them."""
    for when, statements in ((phase, operation.up), (DOWNGRADE, operation.down)):
        for text in statements[database == "sqlite"]:
            yield Call(
                phase=when,
                style=Style.RAW,
                text=text,
                lines=lines,
                database=database,
                operation=operation,
                declared=operation.lock,
                # Each operation has a transaction of its own, and its place in the file tells it from others.
                transaction=lines[0] if lines else 0,
            )


def _statements(operation: Operation, database: str) -> Iterator[tuple[str, str]]:
    """The SQL of the operation, each with the phase that runs it if that is not the phase of the call."""
    for kind, write in _WRITTEN.items():
        if isinstance(operation, kind):
            written = write(operation, database)
            yield from [written] if isinstance(written, tuple) else [("", written)] if written else []
    for kind, write_all in _IN_TWO_PHASES.items():
        if isinstance(operation, kind):
            yield from write_all(operation, database)


def _alter(table: str, action: str) -> str:
    return f"ALTER TABLE {ddl.quoted(table)} {action}"


def _column(column: Column[Any], database: str) -> str:
    return ddl.column_text(column, database)


def _definition(added: AddCheck | AddUnique | AddForeignKey, database: str) -> str:
    if isinstance(added, AddCheck):
        return f"ADD CONSTRAINT {ddl.quoted(added.name)} CHECK ({ddl.expression_text(added.condition, database)})"
    return f"ADD {ddl.constraint_text(added.constraint, database)}"


def _index(each: indexes.CreateIndex, database: str) -> str:
    # Whether the index is built CONCURRENTLY is no matter of the schema.
    return ddl.index_text(each.index, database).replace(" CONCURRENTLY", "", 1)


def _table(each: CreateTable, database: str) -> Iterator[tuple[str, str]]:
    table: Table = each.table
    yield "", ddl.table_text(table, database)
    for key in table.foreign_key_constraints:
        # The table that the key refers to is not there, so that SQLAlchemy does not write the constraint.
        name = f"CONSTRAINT {ddl.quoted(str(key.name))} " if key.name else ""
        to = ddl.quoted(key.elements[0].target_fullname.rpartition(".")[0])
        columns = ddl.listed(key.column_keys)
        yield "", _alter(table.name, f"ADD {name}FOREIGN KEY ({columns}) REFERENCES {to}{_rules(key)}")
    index: Index
    for index in table.indexes:
        yield "", ddl.index_text(index, database)


def _rules(key: ForeignKeyConstraint) -> str:
    rules = {"ON DELETE": key.ondelete, "ON UPDATE": key.onupdate, "INITIALLY": key.initially}
    deferrable = " DEFERRABLE" if key.deferrable else ""
    # As SQLAlchemy orders them.
    delete, update, initially = (f" {name} {rule}" if rule else "" for name, rule in rules.items())
    return f"{delete}{update}{deferrable}{initially}"


def _replaced(each: ReplaceConstraint, database: str) -> Iterator[tuple[str, str]]:
    yield "", _alter(each.was.table, f"DROP CONSTRAINT {ddl.quoted(each.was.name)}")
    yield "", _alter(each.now.table, _definition(each.now, database))


def _renamed_column(each: RenameColumn, database: str) -> Iterator[tuple[str, str]]:
    yield "", _alter(each.table, f"ADD COLUMN {_column(each.new, database)}")
    yield CONTRACT, _alter(each.table, f"DROP COLUMN {ddl.quoted(each.old.name)}")


# Column[Any] and the operations' own fields: each function knows its operation.
_WRITTEN: dict[type[Operation], Callable[[Any, str], str | tuple[str, str]]] = {
    AddColumn: lambda each, database: _alter(each.table, f"ADD COLUMN {_column(each.column, database)}"),
    DropColumn: lambda each, _: _alter(each.table, f"DROP COLUMN {ddl.quoted(each.column.name)}"),
    DropTable: lambda each, _: f"DROP TABLE {ddl.quoted(each.table.name)}",
    RenameTable: lambda each, _: _alter(each.table, f"RENAME TO {ddl.quoted(each.to)}"),
    ChangeType: lambda each, database: _alter(
        each.table, f"ALTER COLUMN {ddl.quoted(each.column.name)} TYPE {ddl.type_text(each.column, database)}"
    ),
    SetNotNull: lambda each, _: _alter(each.table, f"ALTER COLUMN {ddl.quoted(each.column)} SET NOT NULL"),
    DropNotNull: lambda each, _: _alter(each.table, f"ALTER COLUMN {ddl.quoted(each.column)} DROP NOT NULL"),
    SetDefault: lambda each, database: _alter(
        each.table,
        f"ALTER COLUMN {ddl.quoted(each.column)} "
        + ("DROP DEFAULT" if each.default is None else f"SET DEFAULT {ddl.expression_text(each.default, database)}"),
    ),
    AddCheck: lambda each, database: _alter(each.table, _definition(each, database)),
    AddUnique: lambda each, database: _alter(each.table, _definition(each, database)),
    AddForeignKey: lambda each, database: _alter(each.table, _definition(each, database)),
    DropConstraint: lambda each, _: _alter(each.added.table, f"DROP CONSTRAINT {ddl.quoted(each.added.name)}"),
    indexes.CreateIndex: lambda each, database: (
        f"DROP INDEX {ddl.quoted(each.name)}" if isinstance(each, indexes.DropIndex) else _index(each, database)
    ),
    Trigger: lambda each, database: (
        f"DROP TRIGGER {ddl.quoted(each.name)} ON {ddl.quoted(each.table)}"
        if isinstance(each, DropTrigger)
        else getattr(each, database) or ""
    ),
    Function: lambda each, database: (
        (f"DROP FUNCTION {ddl.quoted(each.name)}" if isinstance(each, DropFunction) else each.postgresql)
        if database == _PG
        else ""
    ),
}
_IN_TWO_PHASES: dict[type[Operation], Callable[[Any, str], Iterator[tuple[str, str]]]] = {
    CreateTable: _table,
    ReplaceConstraint: _replaced,
    RenameColumn: _renamed_column,
}
