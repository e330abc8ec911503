"""One command of Alembic, or of the runner, on one connection: checks, lock, session, foreign keys."""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from io import StringIO
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, MetaData
from sqlalchemy.exc import DBAPIError, SAWarning

import service.migrate.dialects.postgresql.impl
import service.migrate.dialects.sqlite.impl  # noqa: F401 - both register themselves with Alembic
from service.migrate.dialects.ddl import is_trash
from service.migrate.entrypoints import autogenerate, checks, expression_indexes
from service.migrate.errors import Refused
from service.migrate.plan.context import Context
from service.migrate.run.backfill.runner import BackfillRunner, Progress
from service.migrate.run.executor import Executor
from service.migrate.run.locking import blockers, lock
from service.migrate.run.locking.limits import WaitLimits
from service.migrate.run.phases import PhaseRunner
from service.migrate.run.revisions import Command, RevisionRunner, run_until_done
from service.migrate.run.scripts.upgrades import UpgradeWriter
from service.migrate.run.session import Session
from service.migrate.run.visibility import no_hidden_rows
from service.migrate.state import ledger

# The work of a phase in the session, for commands that Alembic does not have.
Work = Callable[[PhaseRunner], None]

log = logging.getLogger(__name__)


def run(context: Context, connection: Connection, metadata: MetaData) -> None:
    """Run the command of the context on this connection.

    A connection in a transaction is migrated inside it, and its owner commits; otherwise each step commits.
    """
    attributes = context.config.attributes
    options = {"connection": connection, **_comparing(connection, metadata)}
    context.configure(**options)
    asked = context.get_context().opts
    work: Work | None = attributes.get("work")
    if work is None and "destination_rev" not in asked:
        with context.begin_transaction(), warnings.catch_warnings():
            # A draft reads these indexes itself.
            warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
            context.run_migrations()
        return
    report: lock.Report = attributes.get("report") or log.info
    own = connection is not attributes.get("connection")
    wait_seconds = attributes.get("lock_wait_seconds", lock.WAIT_SECONDS)
    _refuse_unfit(connection)
    with (
        lock.held(connection, report, own=own, wait_seconds=wait_seconds),
        _foreign_keys_loosened(connection),
        no_hidden_rows(connection, own=own),
    ):
        runner = _runner(connection, report, attributes)
        if work is not None:
            with _ended(runner):
                runner.begin()
                work(runner)
            return
        revisions = RevisionRunner(command=Command.of(asked), done=attributes.setdefault("done", []), phases=runner)
        with _ended(runner, accepts_drift=revisions.command.is_stamp):
            run_until_done(context, connection, revisions, options)


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    """What autogenerate finds between the models and the database, at any revision and in any phase."""
    context = MigrationContext.configure(connection, opts=_comparing(connection, metadata))
    with warnings.catch_warnings():
        # As above, and a type that SQLAlchemy does not know.
        warnings.simplefilter("ignore", SAWarning)
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        script = produce_migrations(context, metadata)
    expression_indexes.add(context, script)
    checks.add(context, script)
    return [] if script.upgrade_ops is None else list(script.upgrade_ops.as_diffs())


def _comparing(connection: Connection, metadata: MetaData) -> dict[str, Any]:
    # Most commands compare nothing, and do not query the partitions.
    included = partial(_is_included, partitions=cache(partial(_partitions, connection)))
    return {**_options(connection.dialect.name, metadata), "include_name": included}


def _runner(connection: Connection, report: lock.Report, attributes: dict[str, Any]) -> PhaseRunner:
    session = Session(
        connection=connection,
        report=report,
        inside=connection.in_transaction(),
        wait_limits=attributes.get("wait_limits") or WaitLimits(),
    )
    executor = Executor(session)
    return PhaseRunner(
        executor=executor, backfills=BackfillRunner(executor=executor, watch=attributes.get("watch") or _watch_nothing)
    )


@contextmanager
def _ended(runner: PhaseRunner, *, accepts_drift: bool = False) -> Iterator[None]:
    """End the session, also after a failure."""
    try:
        yield
    except Exception:
        # A transaction of the caller is aborted already; and the first failure must not be hidden by a second.
        if not runner.session.inside:
            with suppress(DBAPIError, Refused):
                runner.end(is_refused=True)
        raise
    runner.end(accepts_drift=accepts_drift)


def _refuse_unfit(connection: Connection) -> None:
    """Raises Refused if no migration can be done through this connection."""
    if connection.dialect.name == "postgresql":
        inside = connection.in_transaction()
        blockers.refuse_unfit(connection)
        if not inside:
            connection.rollback()


def _is_included(
    name: str | None, kind: str, _parents: object, *, partitions: Callable[[], frozenset[str]] = frozenset
) -> bool:
    """Whether autogenerate compares the object: no table of the ledger, nothing in the trash, no partition."""
    return not (is_trash(name) or (kind == "table" and (name in ledger.TABLES or name in partitions())))


def _partitions(connection: Connection) -> frozenset[str]:
    """The partitions in the schema: they are created and dropped with their rows, so no model has them."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    here = "relnamespace = (SELECT quote_ident(current_schema())::regnamespace)"
    asked = f"SELECT relname FROM pg_class WHERE {here} AND relispartition"
    inside = connection.in_transaction()
    found = frozenset(connection.exec_driver_sql(asked).scalars())
    if not inside:
        connection.rollback()
    return found


def _watch_nothing(_progress: Progress) -> None:
    pass


def write_script(context: Context, metadata: MetaData, url: URL) -> None:
    """Write the SQL of the revisions instead of running it.

    Raises:
        Refused: the command, the database or a step has no script.
    """
    collected = StringIO()
    options: dict[str, Any] = {
        "url": url,
        "literal_binds": True,
        "dialect_opts": {"paramstyle": "named"},
        "output_buffer": collected,
        **_options(url.get_backend_name(), metadata),
    }
    context.configure(**options)
    writer = UpgradeWriter(context.get_context().opts["fn"], collected, context.script)
    context.configure(fn=writer, on_version_apply=writer.stamped, **options)
    with context.begin_transaction():
        context.run_migrations()
    (context.config.output_buffer or sys.stdout).write(writer.text())


def draft(context: Context, metadata: MetaData) -> None:
    """Write an empty revision, without a database."""
    context.configure(dialect_name="postgresql", as_sql=True, **_options("postgresql", metadata))
    context.run_migrations()


def _options(dialect: str, metadata: MetaData) -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "transaction_per_migration": True,
        # On SQLite an Identity() would always be reported as a difference.
        "compare_server_default": dialect == "postgresql",
        "include_name": _is_included,
        "alembic_module_prefix": "ops.",
        "render_item": autogenerate.render_item,
        "process_revision_directives": autogenerate.number,
    }


@contextmanager
def _foreign_keys_loosened(connection: Connection) -> Iterator[None]:
    """Turn SQLite's foreign keys off before a transaction begins: PRAGMA foreign_keys has no effect inside one."""
    if connection.dialect.name != "sqlite" or connection.in_transaction():
        yield
        return
    driver: Any = connection.connection.dbapi_connection

    def pragma(sql: str) -> Any:
        # On the driver's connection, because SQLAlchemy would begin a transaction first.
        cursor = driver.cursor()
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        cursor.close()
        return row and row[0]

    enforced = pragma("PRAGMA foreign_keys")
    pragma("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        if enforced and not connection.in_transaction():
            pragma("PRAGMA foreign_keys = ON")
