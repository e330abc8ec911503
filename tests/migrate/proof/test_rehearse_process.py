"""The process of a rehearsal: its end by a signal, its progress, and its HTTP client."""

import asyncio
import signal
from contextlib import suppress

import pytest

from service.migrate.proof.rehearse.client import Client
from service.migrate.proof.rehearse.clock import Clock
from service.migrate.proof.stopping import stoppable


def test_a_signal_ends_what_runs_in_a_loop_and_the_next_one_does_not_disturb_its_end() -> None:
    ended = []
    # A process in the background of a shell ignores it.
    before = signal.getsignal(signal.SIGINT)

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            ended.append("in order")

    with pytest.raises(KeyboardInterrupt), stoppable():
        asyncio.run(work())
    assert ended == ["in order"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_time_left_comes_from_the_plan_until_phases_have_been_measured() -> None:
    shown: list[str] = []
    clock = Clock(lambda _task, _done, _total, figures: shown.append(figures), fills=1, phases=3, seconds=8.0)
    clock.fill()
    clock.filling("books", 50, 1.0)
    clock.filled()
    for seconds in (4.0, 4.0):
        clock.phase("expand")
        clock.ended(seconds)
    clock.phase("at the end")
    assert shown == [
        "50 rows, about 30 s left",
        "expand, about 30 s left",
        "expand, about 8 s left",
        "at the end, about 4 s left",
    ]


async def test_a_client_asks_again_after_the_server_closed_and_gives_up_in_time() -> None:
    answers = [
        b"HTTP/1.1 201 Created\r\nETag: x\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 Oh\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"not HTTP",
        b"",
    ]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                answer = answers.pop(0)
                writer.write(answer)
                if b"close" in answer:
                    break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Client(server.sockets[0].getsockname()[1], 0.2)
        first = await client.ask("POST", "/", {"a": "b"})
        assert (first.status, first.headers["etag"], first.body) == (201, "x", b"{}")
        assert (await client.ask("GET", "/", {})).status == 500
        assert (await client.ask("GET", "/", {})).body == b"ab"
        with pytest.raises(ConnectionError, match="not HTTP"):
            await client.ask("GET", "/", {})
        with pytest.raises(TimeoutError):
            await client.ask("GET", "/", {})
        client.close()
