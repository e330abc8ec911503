"""The functions that a revision calls: each declares an operation, which the runner splits into safe steps.

A revision that changes a schema in use imports this module and not Alembic's `op`:

    def upgrade() -> None:        # expand: safe while the old and the new version both run
        ops.add_column("users", sa.Column("sample_nickname", sa.String(50)))

    backfill = ops.Backfill(...)      # values for existing rows, in batches (optional)

    def contract() -> None:       # removals, safe when the old version no longer runs (optional)
        ops.drop_column("users", sa.Column("alias", sa.String(50)))

    def downgrade() -> None:
        ops.undo()

docs/schema-changes.md has a recipe for each kind of change, with its locks.
"""

from collections.abc import Sequence
from typing import Any, Unpack

from sqlalchemy import Column, Constraint, Index
from sqlalchemy.sql.schema import SchemaItem

from service.migrate.dialects.ddl import Expression
from service.migrate.dialects.now import now
from service.migrate.operations import indexes
from service.migrate.operations import replace_index as _index
from service.migrate.operations.attributes import table_of as _table
from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import AddColumn, DropColumn
from service.migrate.operations.columns.default import SetDefault
from service.migrate.operations.columns.not_null import DropNotNull, SetNotNull
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.operations.comment import SetComment
from service.migrate.operations.constraints.check_unique import AddCheck, AddUnique
from service.migrate.operations.constraints.drop_replace import DropConstraint, of_table, replacement
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.downgrade import Refill, Undo
from service.migrate.operations.options import CheckOptions, ForeignKeyOptions, IndexOptions, UniqueOptions, known
from service.migrate.operations.preconditions import Refuse, duplicates
from service.migrate.operations.raw_sql import Execute
from service.migrate.operations.step import Backfill, Lock, Precondition, Rows
from service.migrate.operations.tables.create_drop import CreateTable, DropTable
from service.migrate.operations.tables.rename import RenameTable
from service.migrate.operations.triggers.follow import Follow
from service.migrate.operations.triggers.trigger import DropFunction, DropTrigger, Function, Trigger
from service.migrate.plan.recorder import either, note

__all__ = ["Backfill", "Lock", "duplicates", "either", "now"]


def create_table(name: str, *items: SchemaItem, derived: bool = False, **options: Any) -> None:
    """Create a table; columns and constraints are written as for Alembic, with explicit names.

    Locks: none on the new table; for each foreign key SHARE ROW EXCLUSIVE on the referenced table for a moment (ACCESS
    EXCLUSIVE to drop it). A downgrade moves the table and its rows to the trash; a `derived` table is dropped.
    """
    note(CreateTable(table=_table(name, *items, **options), derived=derived))


def drop_table(name: str, *items: SchemaItem, uses_checked: Sequence[str] = (), **options: Any) -> None:
    """Move a table to the trash until `purge`; the definition is for the downgrade. In `contract()`.

    `uses_checked`: as for `drop_column`. Locks: ACCESS EXCLUSIVE for a rename, and on the tables that its foreign keys
    refer to.
    """
    note(DropTable(table=_table(name, *items, **options), uses_checked=tuple(uses_checked)))


def rename_table(
    table: str, to: str, columns: Sequence[str], *, key: Sequence[str] = ("id",), uses_checked: Sequence[str] = ()
) -> None:
    """Rename a table; the old name works for the old version until `contract`.

    `columns` are all columns of the table. The old name is an updatable view on PostgreSQL (without ON CONFLICT ON
    CONSTRAINT and new foreign keys to it) and a mirror table on SQLite. `uses_checked`: as for `drop_column`. Locks:
    ACCESS EXCLUSIVE for a rename.
    """
    note(RenameTable(table=table, to=to, columns=tuple(columns), key=tuple(key), uses_checked=tuple(uses_checked)))


def add_column(table: str, column: Column[Any], *, derived: bool = False, uses_checked: Sequence[str] = ()) -> None:
    """Add a column; existing rows get NULL or one constant default.

    Locks: ACCESS EXCLUSIVE for a change of the catalog, a millisecond at any size. A downgrade moves the column and its
    values to the trash; a `derived` column is dropped. `uses_checked`: as for `drop_column`.
    """
    note(AddColumn(table=table, column=column, derived=derived, uses_checked=tuple(uses_checked)))


def drop_column(table: str, column: Column[Any], *, uses_checked: Sequence[str] = ()) -> None:
    """Move a column to the trash until `purge`; the definition is for the downgrade. In `contract()`.

    Functions whose text may name the column refuse the change; `uses_checked` lists those that keep working, as the
    refusal names them ("function lower_mail"). Locks: ACCESS EXCLUSIVE for a rename. Drop indexes and constraints on
    the column before.
    """
    note(DropColumn(table=table, column=column, uses_checked=tuple(uses_checked)))


def rename_column(
    table: str,
    old: Column[Any],
    new: Column[Any],
    *,
    up: str = "{}",
    down: str = "{}",
    key: Sequence[str] = ("id",),
    uses_checked: Sequence[str] = (),
) -> None:
    """Rename a column: a new column beside the old one, kept equal by a trigger until the contract.

    The backfill fills existing rows; `contract` moves the old column to the trash. `up` and `down` are SQL
    expressions with `{}` for the value, for a rename that also converts values. `uses_checked`: as for `drop_column`.
    Locks: ACCESS EXCLUSIVE for changes of the catalog; the rows of a batch; SHARE UPDATE EXCLUSIVE to scan for NULL.
    """
    checked = tuple(uses_checked)
    note(RenameColumn(table=table, old=old, new=new, up=up, down=down, key=tuple(key), uses_checked=checked))


def change_type(
    table: str,
    was: Column[Any],
    column: Column[Any],
    *,
    using: str = "{}",
    back: str = "{}",
    key: Sequence[str] = ("id",),
    uses_checked: Sequence[str] = (),
) -> None:
    """Change the type of a column to one that the old version can read and write.

    A longer varchar, varchar to text and a wider numeric change PostgreSQL's catalog alone. Another type uses a shadow
    column: a trigger keeps it equal, the backfill fills it, and a swap gives it the name. `using` and `back` are SQL
    expressions with `{}` for the value. `uses_checked`: as for `drop_column`. Locks: as `rename_column`. The downgrade
    of a longer type recreates indexes and constraints on a shadow column, or rewrites the table in place where
    docs/schema-changes.md says so.
    """
    checked = tuple(uses_checked)
    note(ChangeType(table=table, was=was, column=column, using=using, back=back, key=tuple(key), uses_checked=checked))


def set_not_null(table: str, column: str, *, fill: str | None = None, key: Sequence[str] = ("id",)) -> None:
    """SET NOT NULL.

    With `fill`, an SQL expression over the row, a trigger sets the value in rows that are written without one, and the
    backfill in existing rows. A downgrade keeps these values: NULL does not come back. Without `fill`, in
    `contract()`, a row with NULL refuses the change. Locks: ACCESS EXCLUSIVE for changes of the catalog; SHARE UPDATE
    EXCLUSIVE for the scan, which does not block requests.
    """
    note(SetNotNull(table=table, column=column, fill=fill, key=tuple(key)))


def drop_not_null(table: str, column: str) -> None:
    """DROP NOT NULL. Locks: ACCESS EXCLUSIVE for a change of the catalog."""
    note(DropNotNull(table=table, column=column))


def set_default(table: str, column: str, default: Expression | None, *, was: Expression | None) -> None:
    """Set the default of new rows, such as `ops.now()`, or with `None` drop it. Locks: as `drop_not_null`."""
    note(SetDefault(table=table, column=column, default=default, was=was))


def set_comment(table: str, comment: str | None, *, was: str | None, column: str | None = None) -> None:
    """Set a comment, or with `None` drop it; SQLite stores none. Locks: SHARE UPDATE EXCLUSIVE for a moment."""
    note(SetComment(table=table, column=column, comment=comment, was=was))


def add_check(table: str, name: str, condition: Expression, **options: Unpack[CheckOptions]) -> None:
    """Add a CHECK constraint NOT VALID, then validate it. Locks: ACCESS EXCLUSIVE, then SHARE UPDATE EXCLUSIVE."""
    note(AddCheck(table=table, name=name, condition=condition, options=known(name, options, CheckOptions)))


def add_unique(table: str, name: str, columns: Sequence[str], **options: Unpack[UniqueOptions]) -> None:
    """Add a UNIQUE constraint with an index that is built concurrently.

    Locks: SHARE UPDATE EXCLUSIVE while the index is built, then ACCESS EXCLUSIVE for a change of the catalog.
    """
    note(AddUnique(table=table, name=name, columns=tuple(columns), options=known(name, options, UniqueOptions)))


def add_foreign_key(
    table: str,
    name: str,
    columns: Sequence[str],
    referred: str,
    referred_columns: Sequence[str] = ("id",),
    **options: Unpack[ForeignKeyOptions],
) -> None:
    """Add a FOREIGN KEY constraint NOT VALID, then validate it.

    Locks: SHARE ROW EXCLUSIVE on both tables for a moment (ACCESS EXCLUSIVE to drop it), then SHARE UPDATE EXCLUSIVE.
    """
    given = known(name, options, ForeignKeyOptions)
    rules = {rule: given.pop(rule, None) for rule in ("ondelete", "onupdate")}
    key: dict[str, Any] = {"columns": tuple(columns), "referred": referred, "referred_columns": tuple(referred_columns)}
    note(AddForeignKey(table=table, name=name, options=given, **key, **rules))


def drop_constraint(table: str, constraint: Constraint) -> None:
    """Drop a CHECK, UNIQUE or FOREIGN KEY constraint; the definition is for the downgrade.

    Locks: ACCESS EXCLUSIVE for a change of the catalog; for a foreign key on the referenced table too.
    """
    note(DropConstraint(added=of_table(table, constraint)))


def replace_constraint(table: str, was: Constraint, now: Constraint) -> None:
    """Replace a constraint by another of its kind in one transaction. Locks: as for adding one and dropping one."""
    note(replacement(table, was, now))


def create_index(name: str, table: str, columns: Sequence[Expression], **options: Unpack[IndexOptions]) -> None:
    """CREATE INDEX CONCURRENTLY, then ANALYZE; a column may be an expression.

    Options: `unique`, `where` (a condition), `using` (a method of PostgreSQL's), and those of sa.Index for one
    database. Locks: SHARE UPDATE EXCLUSIVE (on SQLite writers wait during the build).
    """
    note(indexes.CreateIndex(**indexes.arguments(name, table, columns, known(name, options, IndexOptions))))


def drop_index(name: str, table: str, columns: Sequence[Expression], **options: Unpack[IndexOptions]) -> None:
    """DROP INDEX CONCURRENTLY; the definition is for the downgrade. Locks: SHARE UPDATE EXCLUSIVE."""
    note(indexes.DropIndex(**indexes.arguments(name, table, columns, known(name, options, IndexOptions))))


def replace_index(table: str, was: Index, now: Index) -> None:
    """Replace an index by another of its name. Locks: SHARE UPDATE EXCLUSIVE for the build, then ACCESS EXCLUSIVE."""
    note(_index.replacement(table, was, now))


def follow(table: str, column: str, source: str, *, postgresql: str, sqlite: str, key: Sequence[str] = ("id",)) -> None:
    """Compute a column from `source` by a trigger, for rows of the old version, until the contract.

    The expressions are over the row; NULL leaves the value to the backfill. Locks: SHARE ROW EXCLUSIVE for a change of
    the catalog; ACCESS EXCLUSIVE in the contract.
    """
    note(Follow(table=table, column=column, source=source, postgresql=postgresql, sqlite=sqlite, key=tuple(key)))


def trigger(name: str, table: str, *, postgresql: str | None = None, sqlite: str | None = None) -> None:
    """Create a trigger by the statement of each database. Locks: SHARE ROW EXCLUSIVE; ACCESS EXCLUSIVE to drop it."""
    note(Trigger(name=name, table=table, postgresql=postgresql, sqlite=sqlite))


def drop_trigger(name: str, table: str, *, postgresql: str | None = None, sqlite: str | None = None) -> None:
    """Drop a trigger; the text is for the downgrade. Locks: ACCESS EXCLUSIVE for a change of the catalog."""
    note(DropTrigger(name=name, table=table, postgresql=postgresql, sqlite=sqlite))


def function(name: str, postgresql: str) -> None:
    """Create a PostgreSQL function without arguments, such as a trigger function. Locks: none."""
    note(Function(name=name, postgresql=postgresql))


def drop_function(name: str, postgresql: str, *, uses_checked: Sequence[str] = ()) -> None:
    """Drop a function; the text is for the downgrade. `uses_checked`: as for `drop_column`. Locks: none."""
    note(DropFunction(name=name, postgresql=postgresql, uses_checked=tuple(uses_checked)))


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
    """Run your own SQL in one short transaction; `reason` says why the SQL is safe under traffic.

    Locks: the declared lock; a blocking lock has a statement_timeout of three seconds.
    """
    up, down = (tuple(postgresql), tuple(sqlite)), (tuple(undo_postgresql), tuple(undo_sqlite))
    note(Execute(reason=reason, up=up, down=down, lock=lock, tables=tuple(tables)))


def refuse_if_any(rows: Rows, why: str) -> None:
    """Refuse the change, before its first step, if the query finds rows; the message has `why` and the first rows."""
    note(Refuse(check=Precondition(why=why, rows=rows)))


def refill(backfill: Backfill) -> None:
    """Run a backfill when the contract is undone, for rows that the new version wrote. In `contract()`.

    Call it before the operations whose undo it needs: the last operation is undone first.
    """
    note(Refill(backfill=backfill))


def undo() -> None:
    """Undo all steps of the revision in reverse order: the whole of a `downgrade()`."""
    note(Undo())
