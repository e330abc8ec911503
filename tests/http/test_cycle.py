"""What a response writes to its connection, and when."""

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from service.http.answers import Answer
from service.http.server import head
from service.http.server.cycle import Cycle

DATE = (b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")


class Written:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.is_closed = False

    def write(self, part: bytes) -> None:
        self.parts.append(part)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def cycle_on(transport: Any, **scope: Any) -> Cycle:
    log = logging.getLogger("test")
    return Cycle(
        scope={"method": "GET", "http_version": "1.1", **scope},  # type: ignore[typeddict-item]
        transport=transport,
        flow=FlowControl(transport),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[DATE],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )


async def written(app: Any, **scope: Any) -> Written:
    transport = Written()
    await cycle_on(transport, **scope).run_asgi(app)
    return transport


async def test_a_response_is_one_write() -> None:
    sent = await written(Answer(b"{}", headers=[(b"etag", b'"1"')]))
    head = b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: 2\r\n" % DATE[1]
    assert sent.parts == [head + b'etag: "1"\r\n\r\n{}']
    assert not sent.is_closed


async def test_head_and_a_body_in_parts_follow_their_head() -> None:
    async def in_parts(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"cd"})

    start = b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-length: 4\r\n\r\n" % DATE[1]
    assert (await written(in_parts)).parts == [start, b"ab", b"cd"]
    assert b"".join((await written(in_parts, method="HEAD")).parts) == start


@pytest.mark.parametrize("body", [b"", b"a", b"abc"])
async def test_a_body_of_a_wrong_length_ends_the_connection(body: bytes) -> None:
    async def wrong(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": body})

    assert (await written(wrong)).is_closed


async def test_a_full_connection_gets_the_head_before_the_body() -> None:
    transport = Written()
    cycle = cycle_on(transport)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    cycle.flow.pause_writing()
    sending = asyncio.ensure_future(cycle.send({"type": "http.response.body", "body": b"ab"}))
    await asyncio.sleep(0)
    cycle.flow.resume_writing()
    await sending
    assert b"".join(transport.parts).endswith(b"content-length: 2\r\n\r\nab")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"\x1b"])
async def test_no_value_splits_a_response(value: bytes) -> None:
    assert head.written(200, [(b"content-length", b"0"), (b"location", value)]) is None
    sent = await written(Answer(headers=[(b"location", value)]))
    assert value not in b"".join(sent.parts)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"connection", b"close"), (b"content-length", b"0")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"0")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"0"), (b"X y", b"z")],
    ],
)
def test_what_concerns_the_framing_is_left_to_uvicorn(fields: list[tuple[bytes, bytes]]) -> None:
    assert head.written(200, fields) is None


def test_a_status_without_a_name_is_left_to_uvicorn() -> None:
    assert head.written(799, [(b"content-length", b"0")]) is None
