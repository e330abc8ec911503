"""Imports over HTTP: a body of any length, read as it comes."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from msgspec import UNSET, UnsetType

from service.db.database import Database
from service.errors import Fault, Invalid, Malformed, Unavailable, counted
from service.http.answers import Answer, header
from service.http.parameters import Parameters as Query
from service.http.problems import TooLarge, UnsupportedMedia
from service.http.transfer.declarations import Import
from service.http.transfer.documents import CSV, NDJSON
from service.http.transfer.files import spooled
from service.http.transfer.reports import Outcome, Report
from service.http.transfer.runs import Job, Parameters, Source, Watcher
from service.http.unit import serves
from service.http.wire import WRONG
from service.settings import Settings

FORMATS = {"text/csv": CSV, "application/x-ndjson": NDJSON}
# What generated clients send a file as: many of them know no other type for one.
BINARY = "application/octet-stream"


class ImportParameters(Parameters, frozen=True, kw_only=True):
    """How an import over HTTP goes."""

    format: (
        Annotated[
            Literal["csv", "ndjson"],
            msgspec.Meta(description=f"Needed with {BINARY}; else Content-Type says which."),
        ]
        | UnsetType
    ) = UNSET


_QUERY = Query(ImportParameters)

_encode = msgspec.json.Encoder().encode


def importing(declared: Import) -> HTTPRouteHandler:
    """Return the route that imports one noun."""

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        parameters = _QUERY.read(request.scope["query_string"])
        format = _format(request.scope, parameters.format)
        settings: Settings = request.app.state["settings"]
        body = _body(request, settings.import_limit_bytes)
        if not parameters.atomic or parameters.dry_run:
            return await _import(request, lambda: body, format, parameters)
        async with spooled(body) as source:
            return await _import(request, source, format, parameters)

    async def _import(request: Request[Any, Any, Any], source: Source, format: str, parameters: Parameters) -> Answer:
        database: Database = request.app.state["database"]
        watcher = _Counting(request.app.state["metrics"].imported, declared.noun)
        job = Job(declared, database, source, format, parameters, watcher)
        try:
            return _answer(await job.run())
        except (TooLarge, Unavailable) as failure:
            if job.stored:
                were = "was" if job.stored == 1 else "were"
                told = f"{counted(job.stored, 'line')} {were} stored before; importing again does no harm."
                failure.args = (f"{failure} {told}",)
            raise

    endpoint.__name__ = f"import_{declared.table.name}"
    declare = serves(
        "POST",
        "/import",
        summary=f"Import {declared.title}",
        result=Report,
        query=ImportParameters,
        takes=(*FORMATS, BINARY),
        lines=declared.line,
        writes=True,
        problems=(400, 409, 413, 415, 422, 503),
    )
    return declare(endpoint)


def _format(scope: Any, asked: str | UnsetType) -> str:
    """Return what kind of file the body is.

    Raises:
        UnsupportedMedia: it is of a type, a charset or a coding that is not read here.
        Invalid: the parameter `format` is missing, or says something else than Content-Type.
    """
    media, _, parameters = (header(scope, b"content-type") or "").partition(";")
    media = media.strip().lower()
    if media not in (*FORMATS, BINARY):
        known = f"{', '.join(FORMATS)} or {BINARY}"
        raise UnsupportedMedia(f"The body is {media or 'of no named type'}; {known} is read here.")
    for each in parameters.split(";"):
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMedia(f"The body is in {value.strip()}; UTF-8 is read here.")
    format = FORMATS.get(media, asked)
    if format is UNSET:
        raise _wrong_format(f"The body is {media}: csv or ndjson is expected here.")
    if asked not in (format, UNSET):
        raise _wrong_format(f"The body is {media}: {format} is expected here, or nothing.")
    return format


def _wrong_format(detail: str) -> Invalid:
    return Invalid(WRONG, Fault(detail=detail, parameter="format"))


async def _body(request: Request[Any, Any, Any], limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes.

    Raises:
        TooLarge: it has more bytes than the limit.
        Malformed: it ends too soon.
    """
    declared = header(request.scope, b"content-length") or "0"
    size = int(declared) if declared.isdecimal() else 0
    received = 0
    while max(size, received) <= limit:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The request ended before its body did.")
        chunk = message.get("body", b"")
        received += len(chunk)
        if received <= limit and chunk:
            yield chunk
        if not message.get("more_body", False) and received <= limit:
            return
    raise TooLarge(f"The body is longer than {limit} bytes.")


def _answer(report: Report) -> Answer:
    if not (report.atomic and report.failed):
        return Answer(_encode(report))
    told = f" The first {len(report.errors):,} errors are told." if report.errors_omitted else ""
    count = "1 line is" if report.failed == 1 else f"{report.failed:,} lines are"
    raise Invalid(f"{count} wrong, so nothing was stored.{told}", *report.faults())


class _Counting(Watcher):
    """Adds what is settled to the service's figures."""

    def __init__(self, counter: Any, noun: str) -> None:
        self._counter = counter
        self._noun = noun

    def settled(self, outcome: Outcome) -> None:
        for name in ("created", "updated", "unchanged", "failed"):
            if count := getattr(outcome, name):
                self._counter.labels(self._noun, name).inc(count)
