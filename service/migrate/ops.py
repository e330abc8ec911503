"""What a revision is written with: each function notes an operation down, and the runner makes safe steps of it.

A revision that changes a schema in use imports this module and not Alembic's `op`:

    def upgrade() -> None:        # expand: safe for the code before this revision and the code after it, together
        ops.add_column("users", sa.Column("sample_nickname", sa.String(50)))

    backfill = ops.Backfill(...)      # what rows that are there get, in batches (optional)

    def contract() -> None:       # what may go once no old code runs (optional)
        ops.drop_column("users", sa.Column("alias", sa.String(50)))

    def downgrade() -> None:
        ops.undo()

docs/schema-changes.md has a recipe for each kind of change, with what it costs in locks.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from sqlalchemy import Column, Constraint
from sqlalchemy import MetaData as _MetaData
from sqlalchemy import Table as _Table
from sqlalchemy.sql.schema import SchemaItem

from service.migrate.dialects.ddl import Expression
from service.migrate.dialects.now import now
from service.migrate.operations import indexes
from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import AddColumn, DropColumn
from service.migrate.operations.columns.default import SetDefault
from service.migrate.operations.columns.not_null import DropNotNull, SetNotNull
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.operations.constraints.check_unique import AddCheck, AddUnique
from service.migrate.operations.constraints.drop_replace import DropConstraint, of_table, replacement
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.downgrade import Refill, Undo
from service.migrate.operations.preconditions import Refuse, duplicates
from service.migrate.operations.raw_sql import Execute
from service.migrate.operations.step import Backfill, Lock, Precondition, Rows
from service.migrate.operations.tables.create_drop import CreateTable, DropTable
from service.migrate.operations.tables.rename import RenameTable
from service.migrate.operations.triggers.follow import Follow
from service.migrate.operations.triggers.trigger import DropFunction, DropTrigger, Function, Trigger
from service.migrate.plan.recorder import either, note

__all__ = ["Backfill", "Lock", "duplicates", "either", "now"]


class IndexOptions(TypedDict, total=False):
    """What an index may have beside its columns."""

    unique: bool
    where: str
    using: str


def create_table(name: str, *items: SchemaItem, derived: bool = False, **options: Any) -> None:
    """Create a table; columns and constraints are written as for Alembic, with explicit names.

    Locks: none for the table, which is new; for each foreign key a moment's SHARE ROW EXCLUSIVE on the table that it
    refers to (ACCESS EXCLUSIVE to drop it). A downgrade keeps the table aside with its rows unless it is `derived`.
    """
    note(CreateTable(table=_Table(name, _MetaData(), *items, **options), derived=derived))


def drop_table(name: str, *items: SchemaItem, **options: Any) -> None:
    """Keep a table aside, out of sight, until `roster db purge`; its definition is for the way back. In `contract()`.

    Locks: ACCESS EXCLUSIVE for the time of a rename, and on the tables that its foreign keys refer to.
    """
    note(DropTable(table=_Table(name, _MetaData(), *items, **options)))


def rename_table(table: str, to: str, columns: Sequence[str], *, key: Sequence[str] = ("id",)) -> None:
    """Give a table another name and let the old one serve the code before, until `roster db contract`.

    `columns` are all that it has. The old name is an updatable view on PostgreSQL (no ON CONFLICT ON CONSTRAINT, no new
    foreign key to it) and a synchronised second table on SQLite. Locks: ACCESS EXCLUSIVE for the time of a rename.
    """
    note(RenameTable(table=table, to=to, columns=tuple(columns), key=tuple(key)))


def add_column(table: str, column: Column[Any], *, derived: bool = False) -> None:
    """Add a column that is NULL, or has one constant default, in the rows that are there.

    Locks: ACCESS EXCLUSIVE for a change of the catalog, a millisecond at any size. A downgrade keeps the column aside
    with its values unless they are `derived` from others.

    Raises:
        Refused: every row would have to be written or looked at under the lock.
    """
    note(AddColumn(table=table, column=column, derived=derived))


def drop_column(table: str, column: Column[Any]) -> None:
    """Keep a column aside, out of sight, until `roster db purge`; its definition is for the way back. In `contract()`.

    Locks: ACCESS EXCLUSIVE for the time of a rename. Indexes and constraints on it are dropped before, by their own
    operations.
    """
    note(DropColumn(table=table, column=column))


def rename_column(
    table: str, old: Column[Any], new: Column[Any], *, up: str = "{}", down: str = "{}", key: Sequence[str] = ("id",)
) -> None:
    """Give a column another name, and keep the old one for the code before, each following the other.

    A trigger completes every row that is written, the backfill those that are there; `roster db contract` keeps the old
    column aside. `up` and `down` are SQL expressions with `{}` for the value, for a change that is more than a name.
    Locks: ACCESS EXCLUSIVE for changes of the catalog; the rows of a batch; SHARE UPDATE EXCLUSIVE to scan for NULL.
    """
    note(RenameColumn(table=table, old=old, new=new, up=up, down=down, key=tuple(key)))


def change_type(
    table: str,
    was: Column[Any],
    column: Column[Any],
    *,
    using: str = "{}",
    back: str = "{}",
    key: Sequence[str] = ("id",),
) -> None:
    """Give a column another type under the same name, one that the code before can live with.

    A longer varchar, varchar to text and a wider numeric are changes of PostgreSQL's catalog alone. For others a column
    beside is kept in agreement by a trigger, filled by the backfill, and takes over the name when it is full. `using`
    and `back` are SQL expressions with `{}` for the value. Locks: as `rename_column`. The way back from a longer type
    makes indexes and constraints beside; see docs/schema-changes.md for what cannot be, and is written again in place.
    """
    note(ChangeType(table=table, was=was, column=column, using=using, back=back, key=tuple(key)))


def set_not_null(table: str, column: str, *, fill: str | None = None, key: Sequence[str] = ("id",)) -> None:
    """Let a column be NULL no more.

    With `fill`, an SQL expression over the row, rows written without a value get it by a trigger and those that are
    there by the backfill. Without it no row may lack a value: for `contract()`. Locks: ACCESS EXCLUSIVE for changes of
    the catalog; the scan goes on beside the traffic (SHARE UPDATE EXCLUSIVE).
    """
    note(SetNotNull(table=table, column=column, fill=fill, key=tuple(key)))


def drop_not_null(table: str, column: str) -> None:
    """Let a column be NULL. Locks: ACCESS EXCLUSIVE for a change of the catalog."""
    note(DropNotNull(table=table, column=column))


def set_default(table: str, column: str, default: Expression | None, *, was: Expression | None) -> None:
    """Give rows that are written from now on another default, an SQL expression such as `ops.now()`, or none.

    Locks: ACCESS EXCLUSIVE for a change of the catalog.
    """
    note(SetDefault(table=table, column=column, default=default, was=was))


def add_check(table: str, name: str, condition: str) -> None:
    """Hold rows to a condition: new ones at once, then those that are there.

    Locks: ACCESS EXCLUSIVE for a change of the catalog, then SHARE UPDATE EXCLUSIVE while rows are read.
    """
    note(AddCheck(table=table, name=name, condition=condition))


def add_unique(table: str, name: str, columns: Sequence[str]) -> None:
    """Let no two rows have the same values in these columns.

    Locks: SHARE UPDATE EXCLUSIVE while the index is built, then ACCESS EXCLUSIVE for a change of the catalog.
    """
    note(AddUnique(table=table, name=name, columns=tuple(columns)))


def add_foreign_key(
    table: str,
    name: str,
    columns: Sequence[str],
    referred: str,
    referred_columns: Sequence[str] = ("id",),
    *,
    ondelete: str | None = None,
    onupdate: str | None = None,
) -> None:
    """Let columns refer to rows of another table: new rows at once, then those that are there.

    Locks: SHARE ROW EXCLUSIVE on both tables for a moment (ACCESS EXCLUSIVE to drop it), then SHARE UPDATE EXCLUSIVE.
    """
    note(
        AddForeignKey(
            table=table,
            name=name,
            columns=tuple(columns),
            referred=referred,
            referred_columns=tuple(referred_columns),
            ondelete=ondelete,
            onupdate=onupdate,
        )
    )


def drop_constraint(table: str, constraint: Constraint) -> None:
    """Drop a check, a unique constraint or a foreign key; its definition is for the way back.

    Locks: ACCESS EXCLUSIVE for a change of the catalog, for a foreign key on the other table too.
    """
    note(DropConstraint(added=of_table(table, constraint)))


def replace_constraint(table: str, was: Constraint, now: Constraint) -> None:
    """Put a check or a foreign key in the place of another, with no moment between in which neither holds.

    Locks: as `drop_constraint`, then SHARE UPDATE EXCLUSIVE while rows are read.
    """
    note(replacement(table, was, now))


def create_index(name: str, table: str, columns: Sequence[str], **options: Unpack[IndexOptions]) -> None:
    """Build an index beside the traffic, and ANALYZE the table; a column may be an expression.

    Options: `unique`, `where` (a condition), `using` (a method of PostgreSQL's). Locks: SHARE UPDATE EXCLUSIVE (on
    SQLite writers wait until it is built).
    """
    note(indexes.CreateIndex(name=name, table=table, columns=tuple(columns), **options))


def drop_index(name: str, table: str, columns: Sequence[str], **options: Unpack[IndexOptions]) -> None:
    """Drop an index beside the traffic; its definition is for the way back. Locks: SHARE UPDATE EXCLUSIVE."""
    note(indexes.DropIndex(name=name, table=table, columns=tuple(columns), **options))


def follow(table: str, column: str, source: str, *, postgresql: str, sqlite: str, key: Sequence[str] = ("id",)) -> None:
    """Let a column follow from another wherever code writes that and does not know this one, until the contract.

    The expressions are over the row, and NULL where SQL cannot tell: such rows are left to the backfill. Locks: SHARE
    ROW EXCLUSIVE for a change of the catalog; ACCESS EXCLUSIVE in the contract.
    """
    note(Follow(table=table, column=column, source=source, postgresql=postgresql, sqlite=sqlite, key=tuple(key)))


def trigger(name: str, table: str, *, postgresql: str | None = None, sqlite: str | None = None) -> None:
    """Create a trigger, its whole statement given for each database that is to have one.

    Locks: SHARE ROW EXCLUSIVE for a change of the catalog; dropping it ACCESS EXCLUSIVE.
    """
    note(Trigger(name=name, table=table, postgresql=postgresql, sqlite=sqlite))


def drop_trigger(name: str, table: str, *, postgresql: str | None = None, sqlite: str | None = None) -> None:
    """Drop a trigger; its text is for the way back. Locks: ACCESS EXCLUSIVE for a change of the catalog."""
    note(DropTrigger(name=name, table=table, postgresql=postgresql, sqlite=sqlite))


def function(name: str, postgresql: str) -> None:
    """Create a function of PostgreSQL that takes no arguments, such as triggers call. Locks: none."""
    note(Function(name=name, postgresql=postgresql))


def drop_function(name: str, postgresql: str) -> None:
    """Drop a function; its text is for the way back. Locks: none."""
    note(DropFunction(name=name, postgresql=postgresql))


def execute(
    reason: str,
    *,
    postgresql: Sequence[str] = (),
    sqlite: Sequence[str] = (),
    undo_postgresql: Sequence[str] = (),
    undo_sqlite: Sequence[str] = (),
    lock: Lock = Lock.ACCESS_EXCLUSIVE,
    tables: Sequence[str] = (),
) -> None:
    """Run SQL of one's own in one short transaction, with the reason why it is safe beside traffic.

    Locks: what you say; how long it may run follows from that.
    """
    up, down = (tuple(postgresql), tuple(sqlite)), (tuple(undo_postgresql), tuple(undo_sqlite))
    note(Execute(reason=reason, up=up, down=down, lock=lock, tables=tuple(tables)))


def refuse_if_any(rows: Rows, why: str) -> None:
    """Stop before anything is changed if the query finds rows; `why` is told with their number and some of them."""
    note(Refuse(check=Precondition(why=why, rows=rows)))


def refill(backfill: Backfill) -> None:
    """Give rows the values, when this is taken back, that they would have had all along. In `contract()`.

    It goes before the operations whose way back it needs: those are taken back first.
    """
    note(Refill(backfill=backfill))


def undo() -> None:
    """Take back, in reverse, all that the revision has done: the whole of a `downgrade()`."""
    note(Undo())
