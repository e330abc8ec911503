"""Connections of a server that stops: what clients have sent by then is answered."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.http.answers import Answer
from service.http.server import connection
from service.http.server.limits import Limits
from service.http.server.options import http_options
from service.http.server.watch import Watch
from service.settings import Settings
from tests.http.sockets import request

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SETTINGS = Settings()


@pytest.fixture
def state() -> ServerState:
    return ServerState()


@pytest.fixture
async def address(state: ServerState) -> AsyncIterator[tuple[str, int]]:
    """The address of a server in this process."""
    config = uvicorn.Config(Answer(b"{}"), lifespan="off", log_config=None, **http_options(SETTINGS))
    config.load()
    protocol: Any = config.http_protocol_class
    loop = asyncio.get_running_loop()
    async with await loop.create_server(partial(protocol, config, state, {}), "127.0.0.1") as server:
        yield server.sockets[0].getsockname()
        while state.connections:
            await asyncio.sleep(0)


@pytest.fixture
async def client(address: tuple[str, int]) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*address)
    yield reader, writer
    writer.close()


async def accepted(state: ServerState) -> None:
    while not state.connections:
        await asyncio.sleep(0)


def stop(state: ServerState) -> None:
    for each in list(state.connections):
        each.shutdown()


async def is_answered_and_closed(reader: asyncio.StreamReader) -> bool:
    answer = await reader.read()
    return answer.startswith(b"HTTP/1.1 200") and b"\r\nconnection: close\r\n" in answer.lower()


async def test_a_new_connection_may_still_send_its_first_request(client: Client, state: ServerState) -> None:
    reader, writer = client
    await accepted(state)
    stop(state)
    await asyncio.sleep(2 * connection._LAST_REQUEST_SECONDS)
    writer.write(request())
    assert await is_answered_and_closed(reader)


async def test_a_new_connection_that_stays_silent_is_closed(
    client: Client, state: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FIRST_REQUEST_SECONDS", 0.0)
    await accepted(state)
    stop(state)
    assert await client[0].read() == b""


async def test_a_request_that_arrived_just_before_on_an_idle_connection_is_answered(
    client: Client, state: ServerState
) -> None:
    reader, writer = client
    writer.write(request())
    assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200")
    # Nothing has read it when the server stops.
    writer.write(request())
    stop(state)
    assert await is_answered_and_closed(reader)


async def test_an_idle_connection_is_closed(client: Client, state: ServerState) -> None:
    reader, writer = client
    writer.write(request())
    await reader.readuntil(b"{}")
    stop(state)
    assert await reader.read() == b""


async def test_a_connection_accepted_too_late_to_be_told_is_closed(
    address: tuple[str, int], state: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FIRST_REQUEST_SECONDS", 0.0)
    Watch.of(state, Limits.of(SETTINGS), asyncio.get_running_loop()).is_stopping = True
    reader, writer = await asyncio.open_connection(*address)
    assert await reader.read() == b""
    writer.close()


async def test_an_answer_is_received_while_the_server_stops_before_it_has_read_the_body(
    client: Client, state: ServerState
) -> None:
    reader, writer = client
    writer.write(request("/v1/records", "Content-Length: 100000", method="POST") + b"a")
    await reader.readuntil(b"{}")
    stop(state)
    writer.write(b"a" * 50_000)
    assert await reader.read() == b""
