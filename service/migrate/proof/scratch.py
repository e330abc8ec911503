"""Empty databases for proof tools, gone afterwards: SQLite files, and databases of a PostgreSQL server."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
from sqlalchemy import URL, Connection, make_url

from service.db.engine import Purpose
from service.db.urls import place
from service.migrate.entrypoints import project
from service.migrate.entrypoints.project import url_of
from service.migrate.errors import Unusable, reason
from service.migrate.plan.config import Source
from service.migrate.proof.server import ephemeral_server

T = TypeVar("T")
_PREFIX = "proof_"
# Asked before anything is done; PostgreSQL would refuse the first CREATE DATABASE with the same error.
_MAY_CREATE = (
    "DO $$ BEGIN IF NOT (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) "
    "THEN RAISE insufficient_privilege; END IF; END $$"
)


@contextmanager
def sqlite_file() -> Iterator[str]:
    """The URL of a SQLite file that does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        yield f"sqlite:///{Path(folder, 'proof.db')}"


@contextmanager
def postgresql_server(server: str | None, *, version: int | None = None) -> Iterator[str]:
    """The URL of an account that may create databases: the given one, or that of an ephemeral server.

    Raises:
        Unusable: the URL is not one of PostgreSQL, its server does not answer or lets this account create no database;
            or no PostgreSQL, or none of the version, is installed.
    """
    if server is None:
        with ephemeral_server(version=version) as made:
            yield made.url
        return
    if not server.startswith("postgres") and "://" not in server:
        raise Unusable(f"{server} is no URL: --server takes one such as postgresql://user@host/database.")
    url = url_of(server)
    if url.get_backend_name() != "postgresql":
        raise Unusable(f"{place(url)} is not PostgreSQL: --server takes a postgresql:// URL.")
    _run(url.set(drivername="postgresql"), _MAY_CREATE)
    yield url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def postgresql_database(server: str, *, template: str | None = None) -> Iterator[str]:
    """The URL of an empty database on the server, or of a copy of one that nobody uses.

    Raises:
        Unusable: the server does not answer, or does not let this account create a database.
    """
    url = make_url(server)
    name = f"{_PREFIX}{secrets.token_hex(6)}"
    _run(url, f'CREATE DATABASE "{name}" TEMPLATE {template or "template0"}')
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        _run(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def in_database(
    url: str, function: Callable[[Connection], T], *, config: Source | None = None, writes: bool = False
) -> T:
    """Return what the function returns for a connection of the migrator's; with `writes`, commit what it does."""

    async def run() -> T:
        engine = project.read(config).engine(Purpose.MIGRATE, url)
        try:
            async with engine.begin() if writes else engine.connect() as connection:
                return await connection.run_sync(function)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _run(url: URL, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    try:
        asyncio.run(run())
    except asyncpg.InsufficientPrivilegeError as failure:
        raise Unusable(
            f"{place(url)} may not create databases: use an account with CREATEDB, or leave out the URL for an "
            "ephemeral server."
        ) from failure
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
        raise Unusable(f"{place(url)} cannot be used: {reason(failure)}.") from failure
