"""Scratch databases like another one: of the same kind and version, with the same roles and schemas."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy import Connection, make_url

from service.migrate.dialects import ddl
from service.migrate.errors import Unusable
from service.migrate.proof import scratch

Empty = Callable[[], AbstractContextManager[str]]

_OWNER = (
    "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relkind IN ('r', 'p') "
    "AND relnamespace = quote_ident(current_schema())::regnamespace ORDER BY relname <> 'alembic_version' LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What of a server shows in the text of definitions; all empty for SQLite."""

    dialect: str
    version: int = 0
    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    owner: str = ""


def surroundings(connection: Connection) -> Surroundings:
    """Those of the database that this connection is to."""
    if connection.dialect.name == "sqlite":
        return Surroundings(dialect="sqlite")

    def one(query: str) -> list[str]:
        return list(connection.exec_driver_sql(query).scalars())

    return Surroundings(
        dialect="postgresql",
        version=int(one("SHOW server_version_num")[0]) // 10_000,
        schemas=tuple(one("SELECT unnest(current_schemas(false))")),
        roles=tuple(one("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")),
        owner=(one(_OWNER) or one("SELECT current_user"))[0],
    )


@contextmanager
def beside(like: Surroundings, server: str | None) -> Iterator[Empty]:
    """What makes empty databases like the given one: SQLite files, or databases on the server.

    An ephemeral server gets the roles of the original, and its owner as the account.

    Raises:
        Unusable: the server is of another version, which writes definitions in another way; or as `scratch` does.
    """
    if like.dialect == "sqlite":
        yield scratch.sqlite_file
        return
    with scratch.postgresql_server(server, version=like.version) as given:
        url = asyncio.run(_with_roles(given, like)) if server is None else given
        yield lambda: _database(url, like)


@contextmanager
def _database(server: str, like: Surroundings) -> Iterator[str]:
    with scratch.postgresql_database(server) as url:
        asyncio.run(_prepare(url, like))
        yield url


async def _with_roles(url: str, like: Surroundings) -> str:
    """Create the roles, and return the URL of the owner's account."""
    password = secrets.token_urlsafe(24)
    connection = await asyncpg.connect(url)
    try:
        there = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        for role in {*like.roles, like.owner} - there:
            await connection.execute(f"CREATE ROLE {ddl.quoted(role)}")
        await connection.execute(
            f"ALTER ROLE {ddl.quoted(like.owner)} LOGIN SUPERUSER PASSWORD {ddl.literal(password)}"
        )
    finally:
        await connection.close()
    return make_url(url).set(username=like.owner, password=password).render_as_string(hide_password=False)


async def _prepare(url: str, like: Surroundings) -> None:
    connection = await asyncpg.connect(url)
    try:
        version = connection.get_server_version().major
        if version != like.version:
            raise Unusable(
                f"--server is PostgreSQL {version} and the database PostgreSQL {like.version}, which write definitions "
                f"differently: name a server of version {like.version}."
            )
        names = [ddl.quoted(each) for each in like.schemas]
        for name in names:
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
        if names:
            database = ddl.quoted(make_url(url).database or "")
            await connection.execute(f"ALTER DATABASE {database} SET search_path TO {', '.join(names)}")
    finally:
        await connection.close()
