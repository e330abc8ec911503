"""PostgreSQL for the tests: an ephemeral server of their own, or the one ROSTER_TEST_DATABASE_URL names."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
import pytest
from sqlalchemy import make_url

from service.migrate.proof.server import (
    KEEPER,
    SETTINGS,
    Server,
    ephemeral_server,
    free_port,
    installed_versions,
    unprivileged,
    wheel_programs,
)

# What other tests import from here.
__all__ = ["KEEPER", "SETTINGS", "Server", "ephemeral_server", "free_port", "installed_versions", "unprivileged"]

# The server of the session, and for each event loop the connections to it that wait for a statement.
_of_session: set[str] = set()
_idle: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncGenerator[Any]]] = WeakKeyDictionary()
# The URLs of databases that stay until the end of the session.
_lasting: set[str] = set()


async def create_database(admin_url: str, name: str, template: str | None = None) -> str:
    """The URL of a new database whose name begins with `name`, empty or a copy of a database without connections."""
    unique = f"{name}_{secrets.token_hex(4)}"
    await _administer(admin_url, _creation(unique, template or "template0"))
    return make_url(admin_url).set(database=unique).render_as_string(hide_password=False)


def _creation(name: str, template: str) -> str:
    # A copy of files is half of the work, but for two checkpoints, which are slow where the server waits for a disk.
    strategy = "wal_log" if "ROSTER_TEST_DATABASE_URL" in os.environ else "file_copy"
    return f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\' STRATEGY {strategy}'


async def copy_lastingly(admin_url: str, url: str) -> str:
    """The URL of a copy of a database without connections; it stays until the end of the session, or is dropped."""
    copy = await create_database(admin_url, "kept", make_url(url).database)
    _lasting.add(copy)
    return copy


async def replace_database(admin_url: str, url: str, template_url: str) -> None:
    """Replace the database of `url` by a copy of another; neither may have a connection."""
    name, template = (make_url(each).database or "" for each in (url, template_url))
    await _administer(admin_url, f'DROP DATABASE "{name}"')
    await _administer(admin_url, _creation(name, template))


def is_of_session(url: str) -> bool:
    """Whether the database is of the session's server, and of its account."""
    named, ours = make_url(url), [make_url(each) for each in _of_session]
    return [(each.host, each.port, each.username) for each in ours] == [(named.host, named.port, named.username)]


def session_url() -> str:
    """The URL of `postgres_admin_url`, for what is no fixture."""
    (url,) = _of_session
    return url


async def drop_database(admin_url: str, url: str) -> None:
    """Drops the database of `url`, with the connections that it still has."""
    _lasting.discard(url)
    await _administer(admin_url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


@asynccontextmanager
async def fresh_database(admin_url: str, name: str = "fresh", *, template: str | None = None) -> AsyncIterator[str]:
    """The URL of an empty database, or of a copy of another, that is gone afterwards."""
    url = await create_database(admin_url, name, template)
    try:
        yield url
    finally:
        await drop_database(admin_url, url)


async def _administer(admin_url: str, statement: str) -> Any:
    """Run a statement on the server; on the session's by a connection that is kept, and with the value it gives."""
    if admin_url not in _of_session:
        await execute(admin_url, statement)
        return None
    idle = _idle.setdefault(asyncio.get_running_loop(), [])
    # Two that run at once have a connection each.
    held = idle.pop() if idle else _connected(admin_url)
    connection = await anext(held)
    value = await connection.fetchval(statement)
    idle.append(held)
    return value


async def _connected(url: str) -> AsyncGenerator[Any]:
    """A connection, again and again; the event loop ends this generator, and so the connection, before it closes."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            yield connection
    finally:
        connection.terminate()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def psql(url: str, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script statement by statement, as `psql -v ON_ERROR_STOP=1` does, and stop at the first error."""
    command, environment = psql_command(url, *options)
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False, env=environment)


def psql_command(url: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment of psql, which reads a script from its standard input."""
    command = [str(client_programs() / "psql"), url, "-X", "--quiet", "--set=ON_ERROR_STOP=1", *options]
    # That an index is not there to be dropped is no news.
    return command, os.environ | {"PGOPTIONS": "-c client_min_messages=warning"}


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """The URL of an account that may create databases, on a server that the whole session shares."""
    with ExitStack() as stack:
        if given := os.environ.get("ROSTER_TEST_DATABASE_URL"):
            url = make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        else:
            url = stack.enter_context(ephemeral_server()).url
            # The server has no TLS; asyncpg would make an SSLContext for each connection: 0.6 ms of processor time.
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("PGSSLMODE", "disable")
        _of_session.add(url)
        yield url
        _of_session.remove(url)
        if given:
            asyncio.run(_drop_lasting(url))


async def _drop_lasting(admin_url: str) -> None:
    for url in [*_lasting]:
        await drop_database(admin_url, url)


@pytest.fixture
async def empty_postgres_url(postgres_admin_url: str) -> AsyncIterator[str]:
    """The URL of an empty database for one test."""
    async with fresh_database(postgres_admin_url) as url:
        yield url


@pytest.fixture
def private_postgres() -> Iterator[Server]:
    """A server for one test, which may stop it or kill it."""
    with ephemeral_server() as server:
        yield server


def client_programs() -> Path:
    """The folder of pg_dump and others, no older than the tests' own server; they run as any account."""
    return wheel_programs()
