"""What an env.py calls: it finds the database, locks it and runs the command."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from logging.config import fileConfig
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, MetaData
from sqlalchemy.exc import DBAPIError

import service.migrate.dialects.sqlite.impl  # noqa: F401 - it registers itself with Alembic
from service.db.engine import Limits, Purpose, create_engine
from service.migrate.dialects.ddl import is_trash
from service.migrate.entrypoints import autogenerate
from service.migrate.entrypoints.project import url_of
from service.migrate.errors import Refused, Unusable, told
from service.migrate.naming import Naming, use
from service.migrate.plan.context import Context
from service.migrate.plan.faults import file_of, of_code
from service.migrate.plan.files import check
from service.migrate.plan.offline import written_steps
from service.migrate.run.backfill.runner import BackfillRunner, Progress
from service.migrate.run.executor import Executor
from service.migrate.run.locking import blockers, lock
from service.migrate.run.locking.limits import WaitLimits
from service.migrate.run.locking.waiting import disposed
from service.migrate.run.phases import PhaseRunner
from service.migrate.run.revisions import Command, RevisionRunner, run_until_done
from service.migrate.run.session import Session
from service.migrate.state import ledger

# Below deadlock_timeout (1 s), so that in a deadlock the migrator gives way and never a request.
LIMITS = Limits(statement_seconds=None, lock_wait_seconds=0.05, idle_in_transaction_seconds=None, pool_size=2)

# What a command that is not Alembic's own does in the session.
Work = Callable[[PhaseRunner], None]

log = logging.getLogger(__name__)


def main(context: Context, metadata: MetaData, naming: Naming, *, url: Callable[[], str | URL] | None = None) -> None:
    """Run the command that Alembic or Python code asks for; an env.py calls this and nothing else.

    The database is the one that Python code names, else `-x database=URL`, else what `url` returns, else
    `sqlalchemy.url` in alembic.ini.

    Raises:
        Refused: the URL leads to no database that can be migrated, a revision is broken, or a step failed.
    """
    use(naming)
    config = context.config
    where = partial(_url, config, context.get_x_argument(as_dictionary=True), url)
    if describe := config.attributes.get("describe"):
        describe(metadata, naming, where)
        return
    if _is_alembics_program(config) and config.config_file_name is not None:
        # Only Alembic's own program leaves logging to env.py.
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    with _explained(context, where):
        handed_in = config.attributes.get("connection")
        if context.is_offline_mode():
            _write_script(context, metadata, where())
        elif _is_draft(config):
            _draft(context, metadata)
        elif handed_in is not None:
            _run(context, handed_in, metadata)
        else:
            _in_a_loop(lambda: _connect_and_run(context, metadata, where()))


def _url(config: Config, said: dict[str, str], default: Callable[[], str | URL] | None) -> URL:
    given = config.attributes.get("url") or said.get("database") or said.get("url")
    if not isinstance(given, str) or not given:
        given = _default_url(config, default)
    return url_of(given if isinstance(given, str) else given.render_as_string(hide_password=False))


def _default_url(config: Config, default: Callable[[], str | URL] | None) -> str | URL:
    try:
        found = default() if default else config.get_main_option("sqlalchemy.url")
    except KeyError as failure:
        raise Unusable(f"{failure.args[0]} is not set, which names the database.") from failure
    except ValueError as failure:
        raise Unusable(str(failure)) from failure
    if not found:
        raise Unusable("No database is named: give its URL, or let env.py or sqlalchemy.url in alembic.ini name it.")
    return found


async def _connect_and_run(context: Context, metadata: MetaData, url: URL) -> None:
    try:
        engine = create_engine(url, Purpose.MIGRATE, limits=LIMITS)
    except ValueError as failure:
        raise Unusable(str(failure)) from failure
    async with disposed(engine), engine.connect() as connection:
        await connection.run_sync(lambda sync: _run(context, sync, metadata))


@contextmanager
def _explained(context: Context, where: Callable[[], URL]) -> Iterator[None]:
    """Raise every failure as one line, for Alembic's own program too; `alembic --raiseerr` shows the traceback.

    Raises:
        Refused: a revision's file is broken, its code failed, or the database cannot be used.
    """
    try:
        check(context.script)
        yield
    except Refused:
        raise
    except Exception as failure:
        folders = {Path(script.path).parent for script in context.script.walk_revisions()}
        files = [file for folder in folders if (file := file_of(failure, folder))]
        if files and not isinstance(failure, (DBAPIError, CommandError)):
            raise of_code(failure, files[0]) from failure
        # Python code converts these itself.
        if not _is_alembics_program(context.config):
            raise
        with told(where()):
            raise


def _is_alembics_program(config: Config) -> bool:
    return hasattr(config.cmd_opts, "cmd")


def _is_draft(config: Config) -> bool:
    """Whether the command needs no database: a revision without --autogenerate, a merge, a history without marks."""
    options: Any = config.cmd_opts
    command_run = getattr(getattr(options, "cmd", (None,))[0], "__name__", None)
    if command_run == "history":
        return not options.indicate_current and "current" not in (options.rev_range or "")
    asked = config.attributes.get("draft", getattr(options, "autogenerate", None) is False or command_run == "merge")
    return bool(asked)


def _in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the coroutine to its end, in a thread of its own when this one has a running loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    with ThreadPoolExecutor(1, thread_name_prefix="migrate") as pool:
        pool.submit(lambda: asyncio.run(work())).result()


def _run(context: Context, connection: Connection, metadata: MetaData) -> None:
    """Do on this connection what the command asks for.

    A connection in a transaction is migrated inside it, and its owner commits; otherwise each step commits.
    """
    attributes = context.config.attributes
    options = {"connection": connection, **_options(connection.dialect.name, metadata)}
    options["include_name"] = partial(_is_included, partitions=_partitions(connection))
    context.configure(**options)
    asked = context.get_context().opts
    work: Work | None = attributes.get("work")
    if work is None and "destination_rev" not in asked:
        with context.begin_transaction():
            context.run_migrations()
        return
    report: lock.Report = attributes.get("report") or log.info
    own = connection is not attributes.get("connection")
    wait_seconds = attributes.get("lock_wait_seconds", lock.WAIT_SECONDS)
    _refuse_unfit(connection)
    with (
        lock.held(connection, report, own=own, wait_seconds=wait_seconds),
        _foreign_keys_loosened(connection),
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
        # Someone else's transaction can do no more; and it is the failure that the caller must hear of.
        if not runner.session.inside:
            with suppress(DBAPIError, Refused):
                runner.end(is_refused=True)
        raise
    runner.end(accepts_drift=accepts_drift)


def _refuse_unfit(connection: Connection) -> None:
    """Raises Refused if no migration can be done through this connection."""
    if connection.dialect.name == "postgresql":
        inside = connection.in_transaction()
        blockers.refuse_pooler(connection)
        blockers.refuse_read_only(connection)
        if not inside:
            connection.rollback()


def _is_included(name: str | None, kind: str, _parents: object, *, partitions: frozenset[str] = frozenset()) -> bool:
    """Whether autogenerate looks at it: not at the runner's own tables, at the trash, nor at partitions."""
    return not (is_trash(name) or (kind == "table" and (name in ledger.TABLES or name in partitions)))


def _partitions(connection: Connection) -> frozenset[str]:
    """The partitions of the schema: made and dropped with the data, so no model has them."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    asked = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relispartition"
    inside = connection.in_transaction()
    found = frozenset(connection.exec_driver_sql(asked).scalars())
    if not inside:
        connection.rollback()
    return found


def _watch_nothing(_progress: Progress) -> None:
    pass


def _write_script(context: Context, metadata: MetaData, url: URL) -> None:
    """Write the SQL of the revisions asked for instead of running it."""
    options: dict[str, Any] = {
        "url": url,
        "literal_binds": True,
        "dialect_opts": {"paramstyle": "named"},
        **_options(url.get_backend_name(), metadata),
    }
    context.configure(**options)
    context.configure(fn=written_steps(context.get_context().opts["fn"]), **options)
    with context.begin_transaction():
        context.run_migrations()


def _draft(context: Context, metadata: MetaData) -> None:
    """Let an empty revision be written."""
    context.configure(dialect_name="postgresql", as_sql=True, **_options("postgresql", metadata))
    context.run_migrations()


def _options(dialect: str, metadata: MetaData) -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "transaction_per_migration": True,
        # On SQLite an Identity() would always differ.
        "compare_server_default": dialect == "postgresql",
        "include_name": _is_included,
        "alembic_module_prefix": "ops.",
        "render_item": autogenerate.render_item,
        "process_revision_directives": autogenerate.number,
    }


@contextmanager
def _foreign_keys_loosened(connection: Connection) -> Iterator[None]:
    """Turn SQLite's foreign keys off before a transaction begins; inside one the pragma would do nothing."""
    if connection.dialect.name != "sqlite" or connection.in_transaction():
        yield
        return
    driver: Any = connection.connection.dbapi_connection

    def pragma(sql: str) -> Any:
        # Through the driver, since SQLAlchemy would begin a transaction first.
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
