"""Rebuild a SQLite table from an edited definition, and restore everything attached to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from service.migrate import naming
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.catalog import Stored
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.tokens import quoted
from service.migrate.errors import Refused

_ROWIDS = ("rowid", "_rowid_", "oid")


def rebuild(connection: Connection, before: Stored, after: Definition) -> None:
    """Give the table its new definition, in the open transaction, or in a new one.

    Keeps rowids, the AUTOINCREMENT sequence, and the text of indexes, triggers and views. Holds the database's write
    lock while rows are copied: about two seconds of a processor for a million with two indexes.

    Raises:
        Refused: foreign keys are enforced, rows violate the new definition, or a dependent would no longer work.
            The database is unchanged then.
    """
    require_loose_foreign_keys(connection)
    with connection.begin_nested(), _refused(f"{before.name} cannot be rebuilt with the new definition"):
        dangling = catalog.dangling_rows(connection, before.keyed)
        faults = catalog.faults(connection, before)
        sequence = catalog.sequence(connection, before.name) if before.definition.has_autoincrement else None
        with _references_left_alone(connection):
            _replace(connection, before, after)
        if after.has_autoincrement and sequence is not None:
            _restore_sequence(connection, before.name, sequence)
        _replay(connection, before)
        if before.analyzed:
            connection.exec_driver_sql(f"ANALYZE {quoted(before.name)}")
        for thing, fault in catalog.faults(connection, before).items():
            if thing not in faults:
                raise Refused(f"{before.name} cannot be changed: {thing} would fail ({fault}). Drop {thing} first.")
        refuse_dangling(catalog.dangling_rows(connection, {before.name, *before.keyed}) - dangling)


def require_loose_foreign_keys(connection: Connection) -> None:
    """Raises Refused if DROP TABLE would delete the rows that refer to the table."""
    if catalog.enforces_foreign_keys(connection):
        raise Refused(
            "This connection enforces foreign keys, so that a rebuild would delete the rows that refer to the table; "
            "PRAGMA foreign_keys cannot change inside a transaction. Use an engine created for Purpose.MIGRATE."
        )


def refuse_dangling(dangling: dict[str, int]) -> None:
    if dangling:
        counts = ", ".join(f"{count} from {key}" for key, count in sorted(dangling.items()))
        raise Refused(f"Rows would violate a foreign key: {counts}. Delete them, or give them a parent.")


def _replace(connection: Connection, before: Stored, after: Definition) -> None:
    old = f"_{naming.owned('old')}_{before.name}"
    connection.exec_driver_sql(f"ALTER TABLE {quoted(before.name)} RENAME TO {quoted(old)}")
    # Triggers are created again under their names, and must not fire while rows are copied.
    for name in before.triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
    with _refused(f"SQLite rejects the new definition of {before.name}"):
        connection.exec_driver_sql(after.sql)
    _copy(connection, old, before, after)
    connection.exec_driver_sql(f"DROP TABLE {quoted(old)}")


def _copy(connection: Connection, old: str, before: Stored, after: Definition) -> None:
    readable = {column.name for column in before.definition.columns}
    columns = [column.name for column in after.columns if column.name in readable and not column.clause("AS")]
    if before.definition.has_rowid and after.has_rowid and catalog.rowid_column(connection, before.name) not in columns:
        # A rowid without a column is copied under the first of its names that no column has.
        taken = readable | {column.name for column in after.columns}
        columns = [*[name for name in _ROWIDS if name not in taken][:1], *columns]
    listed = ", ".join(quoted(name) for name in columns)
    # OR ABORT: a constraint's own ON CONFLICT IGNORE or REPLACE would drop rows silently.
    with _refused(f"Rows of {before.name} violate the new definition"):
        connection.exec_driver_sql(
            f"INSERT OR ABORT INTO {quoted(before.name)} ({listed}) SELECT {listed} FROM {quoted(old)}"
        )


def _restore_sequence(connection: Connection, table: str, sequence: int) -> None:
    values = {"table": table, "sequence": sequence}
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :sequence)"), values)


def _replay(connection: Connection, before: Stored) -> None:
    for name, sql in {**before.indexes, **before.triggers}.items():
        with _refused(f"{before.name} cannot be changed before {name} is dropped"):
            connection.exec_driver_sql(sql)


@contextmanager
def _references_left_alone(connection: Connection) -> Iterator[None]:
    """Rename without updating references (legacy_alter_table), so that they mean the new table of that name."""
    legacy = connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar()
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA legacy_alter_table = {legacy}")


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise Refused(f"{what}: {error.orig}.") from error
