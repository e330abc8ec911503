"""Imports over HTTP: a request body of any length, read as a stream."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
import structlog
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from msgspec import UNSET, UnsetType

from service.db.counting import counted
from service.errors import Fault, Invalid, NoSpace, RosterError
from service.http.answers import Answer, header
from service.http.audits import audit_of
from service.http.auth.permissions import Permission
from service.http.parameters import Parameters
from service.http.problems import UnsupportedMedia
from service.http.transfer.job import Importer, Job, Options, Watcher
from service.http.transfer.parser import CSV, NDJSON
from service.http.transfer.reports import Outcome, Report
from service.http.transfer.spec import Import
from service.http.transfer.spool import Spool
from service.http.unit import serves
from service.http.uploads import Upload
from service.http.wire import WRONG
from service.settings import Settings

log = structlog.get_logger()

FORMATS = {"text/csv": CSV, "application/x-ndjson": NDJSON}
# Many generated clients send every file with this type.
BINARY = "application/octet-stream"


class ImportParameters(Options, frozen=True, kw_only=True):
    """The query parameters of an import."""

    format: (
        Annotated[
            Literal["csv", "ndjson"],
            msgspec.Meta(description=f"Needed with {BINARY}; else Content-Type gives the format."),
        ]
        | UnsetType
    ) = UNSET


_QUERY = Parameters(ImportParameters)

_encode = msgspec.json.Encoder().encode


def importing(declared: Import, *, permission: Permission) -> HTTPRouteHandler:
    """Return the route of an import."""

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        parameters = _QUERY.read(request.scope["query_string"])
        format = _format(request.scope, parameters.format)
        settings: Settings = request.app.state["settings"]
        spool = Spool(settings.spool_directory)
        watcher = _Counting(request.app.state["metrics"].imported, declared.noun)
        async with Upload(request, settings.import_limit_bytes) as upload:
            job = Job(
                declared,
                request.app.state["database"],
                format,
                parameters,
                watcher,
                spool=spool,
                check=upload.check,
                importer=Importer(audit=audit_of(request.scope, "import"), actor=request.scope["actor"]),  # type: ignore[typeddict-item]
            )
            try:
                if not parameters.atomic or parameters.dry_run:
                    report = await job.run(upload.chunks)
                    await upload.skip()
                    return _answer(report)
                async with spool.hold(upload.chunks()) as source:
                    return _answer(await job.run(source))
            except (RosterError, asyncio.CancelledError) as failure:
                if upload.broken or isinstance(failure, asyncio.CancelledError):
                    log.warning(
                        "import abandoned",
                        request_id=request.scope["request_id"],  # type: ignore[typeddict-item]
                        noun=declared.noun,
                        reason=str(failure) or "The request was cancelled.",
                        received_bytes=upload.received,
                        stored=job.stored,
                    )
                _add_stored(failure, job)
                raise

    endpoint.__name__ = f"import_{declared.table.name}"
    declare = serves(
        "POST",
        "/import",
        permission=permission,
        summary=f"Import {declared.title}",
        result=Report,
        query=ImportParameters,
        takes=(*FORMATS, BINARY),
        lines=declared.line,
        writes=True,
        problems=(400, 409, 413, 415, 422, 503, 507),
    )
    return declare(endpoint)


def _format(scope: Any, asked: str | UnsetType) -> str:
    """Return the format of the body.

    Raises:
        UnsupportedMedia: the media type or the charset is not supported.
        Invalid: the parameter `format` is missing, or contradicts Content-Type.
    """
    media, _, parameters = (header(scope, b"content-type") or "").partition(";")
    media = media.strip().lower()
    if media not in (*FORMATS, BINARY):
        known = f"{', '.join(FORMATS)} or {BINARY}"
        raise UnsupportedMedia(f"The body is {media or 'of no media type'}; {known} is accepted.")
    for each in parameters.split(";"):
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMedia(f"The body is in {value.strip()}; UTF-8 is accepted.")
    format = FORMATS.get(media, asked)
    if format is UNSET:
        raise _wrong_format(f"The body is {media}: csv or ndjson is expected here.")
    if asked not in (format, UNSET):
        raise _wrong_format(f"The body is {media}: {format} is expected here, or nothing.")
    return format


def _wrong_format(detail: str) -> Invalid:
    return Invalid(WRONG, Fault(detail=detail, parameter="format"))


def _add_stored(failure: BaseException, job: Job) -> None:
    if job.stored:
        were = "was" if job.stored == 1 else "were"
        stored = f"{counted(job.stored, 'line')} {were} stored before; importing again does no harm."
        failure.args = (f"{failure} {stored}",)
    elif isinstance(failure, NoSpace):
        failure.args = (f"{failure} Nothing was stored.",)


def _answer(report: Report) -> Answer:
    if not (report.atomic and report.failed):
        return Answer(_encode(report))
    listed = f" The first {len(report.errors):,} errors are listed." if report.errors_omitted else ""
    if report.stopped_at_line is not None:
        listed += f" The check stopped at line {report.stopped_at_line:,}."
    count = "1 line is" if report.failed == 1 else f"{report.failed:,} lines are"
    raise Invalid(f"{count} wrong, so nothing was stored.{listed}", *report.faults())


class _Counting(Watcher):
    """Counts settled lines in the metrics."""

    def __init__(self, counter: Any, noun: str) -> None:
        self._counter = counter
        self._noun = noun

    def settled(self, outcome: Outcome) -> None:
        for name in ("created", "updated", "unchanged", "failed"):
            if count := getattr(outcome, name):
                self._counter.labels(self._noun, name).inc(count)
