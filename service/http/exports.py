"""Exports over HTTP: a streamed response of any length."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Send
from msgspec import UNSET

from service.db.database import Database
from service.http.answers import header
from service.http.auth.permissions import Permission
from service.http.parameters import Parameters
from service.http.problems import NotAcceptable
from service.http.transfer.exports import Export
from service.http.transfer.parser import CSV, NDJSON
from service.http.unit import serves

# The first is the default.
MEDIA = {NDJSON: "application/x-ndjson", CSV: "text/csv"}


def exporting(export: Export, *, permission: Permission) -> HTTPRouteHandler:
    """Return the route of an export."""
    query = Parameters(export.parameters)

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        filters: Any = query.read(request.scope["query_string"])
        format = _accepted(request.scope) if filters.format is UNSET else filters.format
        database: Database = request.app.state["database"]
        pieces = export.pieces(database.reader, format, filters)
        # The first piece is read before the status is sent, so an unavailable database is 503.
        first = await anext(pieces)
        return Download(f"{export.noun}.{format}", MEDIA[format], first, pieces)

    endpoint.__name__ = f"export_{export.noun.replace('-', '_')}"
    declare = serves(
        "GET",
        "/export",
        permission=permission,
        summary=f"Export {export.title}",
        query=export.parameters,
        gives=tuple(MEDIA.values()),
        lines=export.row,
        problems=(400, 406, 422, 503),
    )
    return declare(endpoint)


class Download:
    """A file sent in pieces; an error closes the connection, so the client sees that the file is incomplete."""

    def __init__(self, name: str, media: str, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest
        self._headers = [
            (b"content-type", f"{media}; charset=utf-8".encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"vary", b"accept"),
        ]

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        if not scope.get("bodiless"):
            gone = asyncio.ensure_future(_disconnect(receive))
            try:
                await _send(send, self._first)
                async for piece in self._rest:
                    # The server discards what is sent after a disconnect, without an error.
                    if gone.done():
                        return
                    await _send(send, piece)
            finally:
                gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _accepted(scope: Any) -> str:
    """Return the format with the highest quality in Accept.

    Raises:
        NotAcceptable: Accept excludes both formats.
    """
    accept = header(scope, b"accept")
    if accept is None:
        return NDJSON
    ranges = [_range(each) for each in accept.split(",")]
    best = max(MEDIA, key=lambda format: _quality(MEDIA[format], ranges))
    if _quality(MEDIA[best], ranges) == 0:
        raise NotAcceptable(f"The export is available as {' or '.join(MEDIA.values())}.")
    return best


def _range(text: str) -> tuple[str, float]:
    media, *parameters = (each.strip().lower() for each in text.split(";"))
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return media, float(value)
            except ValueError:
                return media, 0.0
    return media, 1.0


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """Return the quality of a media type; the most specific range that matches it counts (RFC 9110, 12.5.1)."""
    for held in (media, f"{media.partition('/')[0]}/*", "*/*"):
        for ranged, quality in ranges:
            if ranged == held:
                return quality
    return 0.0
