"""Maps every exception to a problem document (RFC 9457), by one table."""

from dataclasses import asdict
from http import HTTPStatus

import msgspec
import structlog

from service.db import failures
from service.errors import (
    Conflict,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    Malformed,
    NoSpace,
    NotFound,
    RosterError,
    Stale,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unsettled,
)
from service.http.answers import Answer

log = structlog.get_logger()

MEDIA_TYPE = b"application/problem+json"


class TooLarge(RosterError):
    """The body is longer than the limit."""


class UnsupportedMedia(RosterError):
    """The media type of the body is not supported."""


class NotAcceptable(RosterError):
    """Accept excludes every media type of the response."""


class UnsupportedCoding(UnsupportedMedia):
    """The body has a content coding, such as gzip."""


class Misdirected(RosterError):
    """The request is for a host that this service does not answer for."""


class SeveralCredentials(Malformed):
    """The request has more than one Authorization header."""


class TooSlow(RosterError):
    """The request did not arrive within its time limit."""


class HeadTooLarge(RosterError):
    """The request line and the header fields are longer than the limit."""


class NotImplementedHere(RosterError):
    """The request uses an optional part of HTTP that this server lacks."""


class UnsupportedVersion(RosterError):
    """The version of HTTP is neither 1.0 nor 1.1."""


STATUS: dict[type[Exception], tuple[int, str]] = {
    Malformed: (400, "malformed"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not-found"),
    NotAcceptable: (406, "not-acceptable"),
    TooSlow: (408, "request-timeout"),
    Conflict: (409, "conflict"),
    Gone: (410, "gone"),
    Stale: (412, "stale"),
    TooLarge: (413, "too-large"),
    UnsupportedMedia: (415, "unsupported-media-type"),
    Misdirected: (421, "misdirected-request"),
    Invalid: (422, "invalid"),
    TooMany: (429, "too-many-requests"),
    HeadTooLarge: (431, "request-header-fields-too-large"),
    NotImplementedHere: (501, "not-implemented"),
    UnsupportedVersion: (505, "http-version-not-supported"),
    Unsettled: (503, "unsettled"),
    Unavailable: (503, "unavailable"),
    NoSpace: (507, "insufficient-storage"),
    RecursionError: (400, "malformed"),
}


class FaultView(msgspec.Struct, omit_defaults=True):
    """One fault of the request."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    line: int | None = None
    field: str | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    field: str | None = None
    errors: list[FaultView] = []


def describe(failure: Exception, request_id: str | None) -> Answer:
    """Return the problem document of an exception of our own; an unexpected one is logged, once, here."""
    for known, (status, slug) in STATUS.items():
        if isinstance(failure, known):
            return _from_directory(failure, status, slug, request_id)
    if failures.cure(failure) is not None:
        unavailable = failures.unavailable(failure)
        unavailable.__cause__ = failure
        return _from_directory(unavailable, 503, "unavailable", request_id)
    log.error("request failed", request_id=request_id, exc_info=failure)
    return problem(500, "internal", "The service made a mistake; it has been written down.", request_id=request_id)


def problem(
    status: int,
    slug: str,
    detail: str,
    *,
    request_id: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    field: str | None = None,
    faults: tuple[Fault, ...] = (),
) -> Answer:
    document = Problem(
        type=f"urn:roster:problem:{slug}",
        title=title(status),
        status=status,
        detail=detail,
        request_id=request_id,
        field=field,
        errors=[FaultView(**asdict(each)) for each in faults],
    )
    return Answer(msgspec.json.encode(document), status=status, media_type=MEDIA_TYPE, headers=headers)


def title(status: int) -> str:
    """Return the reason phrase of a status."""
    # The names of RFC 9110: those of http.HTTPStatus changed in Python 3.13.
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def _from_directory(failure: Exception, status: int, slug: str, request_id: str | None) -> Answer:
    if isinstance(failure, RecursionError):
        return problem(status, slug, "The body is nested too deeply.", request_id=request_id)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(failure, Unavailable):
        log.warning("unavailable", request_id=request_id, reason=repr(failure.__cause__ or failure))
    if isinstance(failure, (Unavailable, TooMany)):
        headers = ((b"retry-after", str(failure.retry_after_seconds).encode()),)
    if isinstance(failure, UnsupportedCoding):
        # RFC 9110, 15.5.16: the accepted codings.
        headers = ((b"accept-encoding", b"identity"),)
    if isinstance(failure, (Unauthenticated, Forbidden, SeveralCredentials)):
        headers = (_challenge(failure),)
    return problem(
        status,
        slug,
        str(failure),
        request_id=request_id,
        headers=headers,
        field=failure.field if isinstance(failure, Conflict) else None,
        faults=failure.faults if isinstance(failure, Invalid) else (),
    )


def _challenge(failure: Unauthenticated | Forbidden | SeveralCredentials) -> tuple[bytes, bytes]:
    """Return WWW-Authenticate with the error code of RFC 6750, 3.1; a request without a token has none."""
    if isinstance(failure, Unauthenticated):
        error = failure.error
    else:
        error = "insufficient_scope" if isinstance(failure, Forbidden) else "invalid_request"
    code = f', error="{error}"' if error else ""
    return b"www-authenticate", f'Bearer realm="roster"{code}'.encode()
