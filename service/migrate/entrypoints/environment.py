"""What an env.py calls: it finds the database and runs the command there."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from logging.config import fileConfig
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, MetaData
from sqlalchemy.exc import DBAPIError

from service.db.engine import Limits, Purpose
from service.db.sqlite import adapter
from service.migrate.entrypoints import execution
from service.migrate.entrypoints.compiled import SharedCompiled
from service.migrate.entrypoints.engines import engine
from service.migrate.entrypoints.project import url_of
from service.migrate.errors import Refused, Unusable, refusing
from service.migrate.naming import Naming, use
from service.migrate.plan.context import Context
from service.migrate.plan.faults import file_of, of_code
from service.migrate.plan.files import check

_COMPILED = SharedCompiled()
# Below deadlock_timeout (1 s), so that PostgreSQL never cancels a request in a deadlock with the migrator.
LIMITS = Limits(statement_seconds=None, lock_wait_seconds=0.05, idle_in_transaction_seconds=None, pool_size=2)


def main(context: Context, metadata: MetaData, naming: Naming, *, url: Callable[[], str | URL] | None = None) -> None:
    """Run the command that Alembic or Python code asks for; an env.py calls this and nothing else.

    The database is the one that Python code names, else `-x database=URL`, else what `url` returns, else
    `sqlalchemy.url` in alembic.ini.

    Raises:
        Unusable: the metadata is no MetaData.
        Refused: the URL leads to no database that can be migrated, a revision is broken, or a step failed.
    """
    use(naming)
    _refuse_other_than_one(metadata)
    config = context.config
    where = partial(_url, config, context.get_x_argument(as_dictionary=True), url)
    if describe := config.attributes.get("describe"):
        describe(metadata, naming, where)
        return
    if _is_alembics_program(config) and config.config_file_name and config.file_config.has_section("loggers"):
        # Alembic's own program expects env.py to set up logging; other callers have done it.
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    with _explained(context, where):
        handed_in = config.attributes.get("connection")
        if context.is_offline_mode():
            execution.write_script(context, metadata, where())
        elif _is_draft(config):
            execution.draft(context, metadata)
        elif handed_in is not None:
            execution.run(context, handed_in, metadata)
        else:
            _in_a_loop(lambda: _connect_and_run(context, metadata, where()))


def _refuse_other_than_one(metadata: Any) -> None:
    if not isinstance(metadata, MetaData):
        given = f"a {type(metadata).__name__}" if metadata is not None else "None"
        raise Unusable(
            f"env.py calls main(context, metadata, …) with {given} as metadata: pass the one MetaData of the models, "
            "such as Base.metadata. Tables of several are put into one by Table.to_metadata()."
        )


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
    async with AsyncExitStack() as stack:
        try:
            made = await stack.enter_async_context(engine(url, Purpose.MIGRATE, LIMITS))
        except ValueError as failure:
            raise Unusable(str(failure)) from failure
        connection = await stack.enter_async_context(made.connect())
        await connection.execution_options(compiled_cache=_COMPILED)
        await connection.run_sync(lambda sync: _run_alone(context, sync, metadata))


def _run_alone(context: Context, connection: Connection, metadata: MetaData) -> None:
    """Run the command on a connection in an event loop of its own."""
    adapted: Any = connection.connection.dbapi_connection
    if isinstance(adapted, adapter.Connection):
        adapted.stay_in_loop()
    execution.run(context, connection, metadata)


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
    except (Exception, SystemExit) as failure:
        folders = {Path(script.path).parent for script in context.script.walk_revisions()}
        files = [file for folder in folders if (file := file_of(failure, folder))]
        if files and not isinstance(failure, (DBAPIError, CommandError)):
            raise of_code(failure, files[0]) from failure
        # Python code converts these itself.
        if not _is_alembics_program(context.config):
            raise
        with refusing(where()):
            raise


def _is_alembics_program(config: Config) -> bool:
    return hasattr(config.cmd_opts, "cmd")


def _is_draft(config: Config) -> bool:
    """Whether the command needs no database: a plain revision, a merge, a history without --indicate-current."""
    options: Any = config.cmd_opts
    command_run = getattr(getattr(options, "cmd", (None,))[0], "__name__", None)
    if command_run == "history":
        return not options.indicate_current and "current" not in (options.rev_range or "")
    asked = config.attributes.get("draft", getattr(options, "autogenerate", None) is False or command_run == "merge")
    return bool(asked)


def _in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the coroutine to its end; in a new thread if this thread has a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    with ThreadPoolExecutor(1, thread_name_prefix="migrate") as pool:
        pool.submit(lambda: asyncio.run(work())).result()
