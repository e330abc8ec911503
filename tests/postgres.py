"""PostgreSQL for the tests: an ephemeral server of their own, or the one ROSTER_TEST_DATABASE_URL names."""

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

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


async def create_database(admin_url: str, name: str, template: str | None = None) -> str:
    """The URL of a new database whose name begins with `name`, empty or a copy of a database without connections."""
    unique = f"{name}_{secrets.token_hex(4)}"
    await execute(admin_url, f'CREATE DATABASE "{unique}" TEMPLATE "{template or "template0"}" ENCODING \'UTF8\'')
    return make_url(admin_url).set(database=unique).render_as_string(hide_password=False)


async def drop_database(admin_url: str, url: str) -> None:
    """Drops the database of `url`, with the connections that it still has."""
    await execute(admin_url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


@asynccontextmanager
async def fresh_database(admin_url: str, name: str = "fresh", *, template: str | None = None) -> AsyncIterator[str]:
    """The URL of an empty database, or of a copy of another, that is gone afterwards."""
    url = await create_database(admin_url, name, template)
    try:
        yield url
    finally:
        await drop_database(admin_url, url)


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
    given = os.environ.get("ROSTER_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    with ephemeral_server() as server:
        yield server.url


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
