"""Migrations refuse a pooler, whatever the settings say."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from service.cli import main
from service.cli.db import db
from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import current
from service.migrate.errors import Refused
from tests.alembic.store import opened

main.add_command(db)

SENTENCE = (
    "The URL leads through a connection pooler, which keeps neither locks nor sessions. "
    "Set ROSTER_MIGRATE_URL to a direct URL of PostgreSQL."
)
# Start-up parameters that PgBouncer accepts; it refuses others unless it is configured to ignore them.
KNOWN = (
    "user",
    "database",
    "application_name",
    "client_encoding",
    "DateStyle",
    "TimeZone",
    "standard_conforming_strings",
)
_KEY = b"K\x00\x00\x00\x0c"


class Pooler:
    """A proxy in front of a server, like PgBouncer: it gives the client a process id that is not the server's.

    A `strict` proxy refuses unknown start-up parameters.
    """

    def __init__(self, server_url: str, *, strict: bool) -> None:
        self._server = make_url(server_url)
        self._strict = strict
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Its URL."""
        listener = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        try:
            yield self._server.set(port=port).render_as_string(hide_password=False)
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await message(reader)
        if first[4:8] == struct.pack("!i", 80877103):
            # No TLS here.
            writer.write(b"N")
            first = await message(reader)
        texts = first[8:].decode().split("\0")
        asked = dict(zip(texts[:-2:2], texts[1:-2:2], strict=True))
        unknown = [name for name in asked if name not in KNOWN]
        if unknown and self._strict:
            told = f"SFATAL\0C08P01\0Munsupported startup parameter: {unknown[0]}\0\0".encode()
            writer.write(b"E" + struct.pack("!i", len(told) + 4) + told)
            writer.close()
            return
        kept = "".join(f"{name}\0{value}\0" for name, value in asked.items() if name in KNOWN).encode() + b"\0"
        server_reader, server_writer = await asyncio.open_connection(self._server.host, self._server.port)
        server_writer.write(struct.pack("!i", len(kept) + 8) + first[4:8] + kept)
        self._start(forward(reader, server_writer, bytes))
        self._start(forward(server_reader, writer, with_a_key_of_its_own))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def message(reader: asyncio.StreamReader) -> bytes:
    """One of a client's first messages, which have no kind in front."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(struct.unpack("!i", length)[0] - 4)


async def forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, changed: Callable[[bytes], bytes]
) -> None:
    while said := await reader.read(65536):
        writer.write(changed(said))
        await writer.drain()
    writer.close()


def with_a_key_of_its_own(said: bytes) -> bytes:
    at = said.find(_KEY)
    return said if at < 0 else said[: at + 5] + struct.pack("!i", 77) + said[at + 9 :]


def roster(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(
        main, ["db", *arguments], env={f"ROSTER_{name}": text for name, text in environment.items()}
    )


@pytest.mark.parametrize("strict", [True, False])
async def test_a_url_that_leads_through_a_pooler_is_refused_and_nothing_done(
    empty_postgres_url: str, strict: bool
) -> None:
    async with Pooler(empty_postgres_url, strict=strict).open() as url:
        with pytest.raises(Refused) as refused:
            await asyncio.to_thread(commands.upgrade, url)
    assert str(refused.value) == SENTENCE
    async with opened(empty_postgres_url) as store:
        assert await store.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


async def test_the_service_s_own_way_through_a_pooler_is_not_taken_for_migrations(empty_postgres_url: str) -> None:
    async with Pooler(empty_postgres_url, strict=True).open() as url:
        way = {"DATABASE_URL": url, "POOLER": "true", "MIGRATE_URL": empty_postgres_url}
        done = await asyncio.to_thread(roster, "upgrade", "0002", **way)
        assert (done.exit_code, done.stderr) == (0, "")
        for command, told in (("backfill", "Nothing"), ("contract", "Nothing"), ("status", "postgresql://")):
            assert (await asyncio.to_thread(roster, command, **way)).stdout.startswith(told)
        # A name alone does not make a way direct.
        lost = await asyncio.to_thread(roster, "upgrade", "0003", **way | {"MIGRATE_URL": url})
        assert (lost.exit_code, lost.stderr) == (1, f"Error: {SENTENCE}\n")
    assert await current(empty_postgres_url) == ("0002_add_age_to_users",)


async def test_a_connection_through_a_pooler_that_is_handed_in_is_refused_too(empty_postgres_url: str) -> None:
    async with Pooler(empty_postgres_url, strict=False).open() as url:
        engine = create_engine(url, Purpose.MIGRATE)
        async with engine.connect() as connection:
            with pytest.raises(Refused, match="leads through a connection pooler"):
                await connection.run_sync(lambda sync: commands.upgrade(url, connection=sync))
        await engine.dispose()
