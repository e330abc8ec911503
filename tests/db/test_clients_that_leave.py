import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from sqlalchemy import text

from service.app import Roster
from tests.db.conftest import checked_out
from tests.db.load import stored
from tests.postgres import free_port

BODY = b'{"title": "left behind"}'


def request(body: bytes, *, length: int | None = None) -> bytes:
    """A POST of a record, which may promise more than it sends."""
    lines = ["POST /v1/records HTTP/1.1", "host: localhost", "content-type: application/json"]
    return "\r\n".join([*lines, f"content-length: {length or len(body)}", "", ""]).encode() + body


@pytest.fixture
async def port(roster: Roster) -> AsyncIterator[int]:
    """The port of a real server in front of the service."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(roster, port=port, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", port)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield port
        server.should_exit = True
        await task


async def send_and_leave(port: int, data: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    writer.transport.abort()


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    status = await reader.readline()
    writer.close()
    return status


async def test_clients_that_leave_before_their_body_ends_store_nothing(roster: Roster, port: int) -> None:
    before = checked_out(roster.database.writing)
    await asyncio.gather(*(send_and_leave(port, request(BODY[:-3], length=len(BODY))) for _ in range(50)))
    await asyncio.sleep(0.1)
    assert checked_out(roster.database.writing) == before == 0
    assert b"201" in await ask(port, request(BODY))
    assert await stored(roster) == {"left behind": 1}


async def test_clients_that_leave_before_the_answer_cost_no_connection(roster: Roster, port: int) -> None:
    await asyncio.gather(*(send_and_leave(port, request(BODY)) for _ in range(50)))
    assert b"201" in await ask(port, request(b'{"title": "stayed"}'))
    async with asyncio.timeout(5):
        while checked_out(roster.database.writing):
            await asyncio.sleep(0.01)
    titles = await stored(roster)
    assert titles.pop("stayed") == 1
    assert 0 <= titles.pop("left behind", 0) <= 50
    assert titles == {}
    async with roster.database.writing.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
