"""What env.py does with a connection, or without one: lock, one transaction a revision, and another try."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

import service.migrate.sqlite.impl  # noqa: F401 - it registers itself with Alembic
from service.db.engine import Limits, parse_url
from service.db.failures import Cure, cure
from service.migrate import autogenerate, lock
from service.migrate.errors import Refused
from service.migrate.sqlite import catalog
from service.migrate.sqlite.rebuild import refuse_dangling
from service.migrate.waiting import pause
from service.settings import Settings

# Below deadlock_timeout (1 s), so that in a deadlock the migrator gives way and never a request.
LIMITS = Limits(statement_seconds=None, lock_wait_seconds=0.1, idle_in_transaction_seconds=None, pool_size=2)
TRY_SECONDS = 60.0
_PAUSE_SECONDS = 0.2

log = logging.getLogger(__name__)


def url(context: EnvironmentContext) -> str:
    """Where to migrate: what Python code said, else `-x url=…`, else the settings.

    Raises:
        Refused: the settings lead through a pooler, which keeps neither locks nor sessions.
        Misconfigured: a setting is wrong.
    """
    given = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if isinstance(given, str) and given:
        return given
    return direct_url(Settings.from_env())


def direct_url(settings: Settings) -> str:
    """The URL for migrations; raises Refused if the settings know only the way through a pooler."""
    if settings.pooler and not settings.migrate_url:
        raise Refused("ROSTER_POOLER is set: say in ROSTER_MIGRATE_URL where PostgreSQL itself is, for migrations.")
    return settings.migrate_url or settings.database_url


def is_draft(config: Config) -> bool:
    """Whether this is `alembic revision` without --autogenerate, which needs no database."""
    asked = config.attributes.get("draft", getattr(config.cmd_opts, "autogenerate", None) is False)
    return bool(asked)


def in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the coroutine to its end, in a thread of its own when this one has a running loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    with ThreadPoolExecutor(1, thread_name_prefix="migrate") as pool:
        pool.submit(lambda: asyncio.run(work())).result()


def run(context: EnvironmentContext, connection: Connection, metadata: MetaData) -> None:
    """Do on this connection what the command asks for.

    A connection in a transaction is migrated inside it, and its owner commits; otherwise each revision commits.
    """
    attributes = context.config.attributes
    report: lock.Report = attributes.get("report") or log.info
    options = {"connection": connection, **_options(connection.dialect.name, metadata)}
    context.configure(**options)
    asked = context.get_context().opts
    if "destination_rev" not in asked:
        with context.begin_transaction():
            context.run_migrations()
        return
    steps = _Steps(asked["fn"], attributes.setdefault("done", []), report)
    own = connection is not attributes.get("connection")
    wait_seconds = attributes.get("lock_wait_seconds", lock.WAIT_SECONDS)
    with (
        lock.held(connection, report, own=own, wait_seconds=wait_seconds),
        _foreign_keys_loosened(connection),
    ):
        _run_until_done(context, connection, steps, options)


def write_script(context: EnvironmentContext, metadata: MetaData) -> None:
    """Write the SQL of the revisions asked for instead of running it."""
    dialect = parse_url(url(context))
    context.configure(
        url=dialect,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **_options(dialect.get_backend_name(), metadata),
    )
    with context.begin_transaction():
        context.run_migrations()


def draft(context: EnvironmentContext, metadata: MetaData) -> None:
    """Let an empty revision be written."""
    context.configure(dialect_name="postgresql", as_sql=True, **_options("postgresql", metadata))
    context.run_migrations()


def _options(dialect: str, metadata: MetaData) -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "transaction_per_migration": True,
        # On SQLite an Identity() would always differ.
        "compare_server_default": dialect == "postgresql",
        "render_item": autogenerate.render_item,
        "process_revision_directives": autogenerate.number,
    }


def _run_until_done(
    context: EnvironmentContext, connection: Connection, steps: "_Steps", options: dict[str, Any]
) -> None:
    deadline = time.monotonic() + TRY_SECONDS
    outside = connection.in_transaction()
    while True:
        context.configure(fn=steps, on_version_apply=steps.check, **options)
        try:
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as failure:
            if outside:
                raise
            connection.rollback()
            if cure(failure) is not Cure.AGAIN or time.monotonic() > deadline:
                raise Refused(f"{steps.now} was not done, and nothing of it was kept: {failure.orig}.") from failure
            steps.report(f"{steps.now} gave way to other work and is tried again: {failure.orig}.")
            pause(connection, _PAUSE_SECONDS * random.uniform(0.5, 1.5))
        else:
            return


class _Steps:
    """The revisions to run, found once: what a failed try left undone goes on where it stopped."""

    def __init__(self, plan: Callable[..., Iterable[Any]], done: list[str], report: lock.Report) -> None:
        self.report = report
        self._plan = plan
        self._done = done
        self._left: list[Any] | None = None
        self._dangling: Counter[str] = Counter()

    @property
    def now(self) -> str:
        return _described(self._left[0]) if self._left else "Reading the database's revision"

    def __call__(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
        if self._left is None:
            _refuse_unknown(heads, context)
            self._left = list(self._plan(heads, context))
            if self._left and context.dialect.name == "sqlite" and context.connection is not None:
                self._dangling = catalog.dangling_rows(context.connection)
        while self._left:
            # Alembic comes back for the next one when this one is committed.
            yield self._left[0]
            step = self._left.pop(0)
            self._done.append(step.info.up_revision_id)
            self.report(f"{_described(step)}: done.")

    def check(self, ctx: MigrationContext, *_: Any, **__: Any) -> None:
        """Refuse to commit rows that point at nothing: on SQLite nobody looked while the revision ran."""
        if ctx.dialect.name == "sqlite" and ctx.connection is not None:
            refuse_dangling(catalog.dangling_rows(ctx.connection) - self._dangling)


def _refuse_unknown(heads: tuple[str, ...], context: MigrationContext) -> None:
    for head in heads:
        try:
            known = context.script and context.script.get_revision(head)
        except CommandError:
            known = None
        if known is None:
            raise Refused(
                f"The database is at revision {head}, which this code does not know: newer code upgraded it. "
                "Run this with that code."
            )


def _described(step: Any) -> str:
    info = step.info
    verb = "Stamp" if info.is_stamp else "Upgrade to" if info.is_upgrade else "Downgrade from"
    return f"{verb} {info.up_revision_id}"


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
