"""Events over HTTP: a list, and a feed by polling, by waiting or as Server-Sent Events."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import starmap
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.types import ASGIApp, Receive, Send
from msgspec import UNSET

from service.db.database import Database
from service.db.listing import Page
from service.db.reader import Reader
from service.errors import RosterError
from service.events import actions, queries, schemas
from service.http.answers import Answer, header
from service.http.parameters import Parameters
from service.http.unit import reads, serves
from service.http.waiting import Client, Waiting

STREAM = "text/event-stream"
_HEARTBEAT_SECONDS = 15.0
_RETRY = b"retry: 1000\n\n"

_QUERY = Parameters(schemas.FeedParameters)
_encode = msgspec.json.Encoder().encode


@reads("/", permission="events.read", summary="List events", result=schemas.EventPage)
async def list_events(reader: Reader, query: schemas.EventParameters) -> Page[schemas.Event]:
    """Lists changes of all resources, the newest first."""
    return await queries.EVENTS.page(reader, query)


@serves(
    "GET",
    "/feed",
    permission="events.read",
    summary="Follow events",
    query=schemas.FeedParameters,
    result=schemas.EventFeed,
    problems=(400, 410, 422, 503),
    streams=True,
)
async def follow_events(request: Request[Any, Any, Any]) -> ASGIApp:
    """Returns events in an order that skips none, however transactions overlap.

    `next_cursor`, sent as `after`, goes on from there. With `wait` the response is sent when there is an event, or
    empty after so many seconds. With `Accept: text/event-stream` events are sent as they come (Server-Sent Events),
    each with its cursor as `id`; the header `Last-Event-ID` then takes the place of `after`.
    """
    scope: Any = request.scope
    query = _QUERY.read(scope["query_string"])
    database: Database = request.app.state["database"]
    waiting: Waiting = request.app.state["waiting"]
    accepts_stream = STREAM in (header(scope, b"accept") or "")
    after = (header(scope, b"last-event-id") if accepts_stream else None) or query.after
    feed = await actions.Feed.after(database.reader, None if after is UNSET else str(after))

    async def admit() -> None:
        await request.app.state["authentication"].admit(scope, "events.read")

    if accepts_stream:
        return _Stream(feed, waiting, query.limit, admit)
    found = await feed.read(query.limit)
    if not found and query.wait and not scope.get("bodiless"):
        client = Client(scope, request.receive)
        try:
            with waiting.place():
                found = await _wait(feed, waiting, client, query)
        finally:
            client.close()
        await admit()
    standing = await actions.look(database.reader)
    return Answer(_encode(actions.rendered(found, feed.cursor, standing)))


async def _wait(
    feed: actions.Feed, waiting: Waiting, client: Client, query: schemas.FeedParameters
) -> list[tuple[str, schemas.Event]]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.wait
    while True:
        generation = waiting.generation
        if found := await feed.read(query.limit):
            return found
        if not await client.wait(waiting, generation, deadline - loop.time()):
            return []


class _Stream:
    """Events as they come, until the client leaves, its token ends or the server stops."""

    def __init__(self, feed: actions.Feed, waiting: Waiting, limit: int, admit: Callable[[], Awaitable[None]]) -> None:
        self._feed = feed
        self._waiting = waiting
        self._limit = limit
        self._admit = admit

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", STREAM.encode()),
            (b"cache-control", b"no-store"),
            # nginx would collect the events before it passes them on.
            (b"x-accel-buffering", b"no"),
        ]
        client = Client(scope, receive)
        try:
            with self._waiting.place():
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                if not scope.get("bodiless"):
                    await _send(send, _RETRY)
                    await self._follow(client, send)
        finally:
            client.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, client: Client, send: Send) -> None:
        while client.is_waiting:
            generation = self._waiting.generation
            try:
                # A token that was revoked is not to be told of anything more.
                await self._admit()
                found = await self._feed.read(self._limit)
                if found:
                    await _send(send, b"".join(starmap(_in_stream, found)))
                elif not await client.wait(self._waiting, generation, _HEARTBEAT_SECONDS):
                    await _send(send, b": waiting\n\n")
                    self._feed = await self._feed.restart()
            except RosterError:
                # The client connects again, and is told then.
                return


def _in_stream(cursor: str, event: schemas.Event) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (cursor.encode(), _encode(event))


async def _send(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


router = Router("/v1/events", route_handlers=[list_events, follow_events])
