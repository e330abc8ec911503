"""The shared components of the OpenAPI document: introduction, headers, parameters and problems."""

from typing import Any

import msgspec

from service.db.words import LARGEST_KEY
from service.errors import Fault
from service.http import problems
from service.http.auth.cookies import COOKIE
from service.http.etags import ENTITY_TAGS
from service.http.hosts import EXEMPT
from service.http.idempotency import KEY

INTRODUCTION = """\
A directory of people, recordings and departments.

- **Input is strict**: unknown fields and parameters, repeated parameters and values of another JSON type are refused
  with 422, every fault at once. **Output is open**: fields may be added to it within `/v1`.
- **Lists** are pages: follow `next_cursor`, or the `Link` header, until it is null or absent. No row is skipped or
  shown twice, however deep, and whatever is changed meanwhile.
- **Updates** do not overwrite each other: send the `ETag` you read as `If-Match`, and a change to anything newer is
  refused with 412. PATCH takes a JSON merge patch (RFC 7396).
- **Tries again** are safe with an `Idempotency-Key` on POST: the first answer is given again.
- **Errors** are `application/problem+json` (RFC 9457) on every path.
- **Tokens** are sent as `Authorization: Bearer roster_…`; each operation names the permission that it needs. A service
  without an administrator asks for no token, and answers on the loopback address of its machine only.
- HEAD is served wherever GET is, and OPTIONS everywhere. Every answer has an `X-Request-ID`: the caller's own, if it is
  1 to 100 letters, digits, dots, dashes or underscores.
"""

PROBLEM_TYPE = problems.MEDIA_TYPE.decode()

ID = {"type": "integer", "minimum": 1, "maximum": LARGEST_KEY, "examples": [1]}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request, in the service's log too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"},
    },
    "ETag": {
        "description": "Stands for what is shown; send it as If-Match or If-None-Match.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9a-z.-]+"$', "examples": ['"1"']},
    },
    "Location": {
        "description": "Where the new resource is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Link": {
        "description": 'The next page, as `<address>; rel="next"`; the last page has none (RFC 8288).',
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which a further try may succeed.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "The scheme of the token, and the error code of RFC 6750 if one was sent.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "This is the answer that the first request with this Idempotency-Key got.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "roster_…",
        "description": "A token, or the token of a session, in the Authorization header.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The token of a session, for pages of the service's own origin.",
    },
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": 'Do it only if the resource has one of these ETags, as `"7"`, or with `*` if it is there.',
        "schema": {"type": "string", "pattern": ENTITY_TAGS},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": 'Answer 304, with no body, if the resource still has one of these ETags, as `"7"`.',
        "schema": {"type": "string", "pattern": ENTITY_TAGS},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of the caller for this request: repeats of the request with the key change nothing.",
        "schema": {"type": "string", "pattern": KEY},
    },
}

# Status: name of the component, when it happens, and the detail of an example.
_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: ("Malformed", "The request cannot be parsed.", "The cursor is not valid: send next_cursor of a page."),
    401: (
        "Unauthenticated",
        "There is no token, or one that is not valid: unknown, expired, revoked, or of a user who is not active.",
        "The token is not valid: it is unknown, expired or revoked, or its user is not active.",
    ),
    403: (
        "Forbidden",
        "The token lacks the permission; `detail` names it.",
        "This needs the permission users.write, which the token does not have.",
    ),
    404: ("NotFound", "The resource does not exist.", "There is no user 7."),
    406: (
        "NotAcceptable",
        "The export is available in none of the media types in Accept.",
        "The export is available as application/x-ndjson.",
    ),
    409: ("Conflict", "A constraint refused the change; `field` names the field.", "Another user has this email."),
    410: (
        "Gone",
        "The event of the cursor is not in the database any more.",
        "The event of this cursor is not in the database: it was removed by retention.",
    ),
    412: (
        "Stale",
        "If-Match or If-None-Match does not hold for the resource.",
        "The resource was changed since this version; read it again.",
    ),
    413: ("TooLarge", "The body is longer than the limit.", "The body is longer than 1000000 bytes."),
    415: (
        "UnsupportedMedia",
        "The operation does not accept this Content-Type or Content-Encoding.",
        "The body is text/plain; application/json is accepted.",
    ),
    421: (
        "Misdirected",
        "`Host` names no allowed host.",
        "This service does not answer for the host 'example.org'.",
    ),
    422: ("Invalid", "A value is not valid; `errors` lists all errors.", "The request is not valid; see errors."),
    429: (
        "TooMany",
        "There were too many failed logins; retry after Retry-After seconds.",
        "There were too many failed logins; try again in 312 seconds.",
    ),
    500: ("Internal", "A fault of the service.", "The service made a mistake; it has been written down."),
    503: (
        "Unavailable",
        "The database is not available; retry after Retry-After seconds.",
        "All connections to the database are busy.",
    ),
    507: ("NoSpace", "A disk of the service is full.", "The disk of the spool directory is full. Nothing was stored."),
}
_HEADERS_OF_PROBLEMS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_FAULTS = (
    Fault(detail="This field is required.", pointer="/email"),
    Fault(detail="Expected int, got str.", pointer="/age"),
)


def refusals(path: str) -> set[int]:
    """Return the statuses of errors that occur before routing: of the Host header."""
    return {400} if path in EXEMPT else {400, 421}


def problem_name(status: int) -> str:
    """Return the component name of a problem's response."""
    return _PROBLEMS[status][0]


def problem_response(status: int) -> dict[str, Any]:
    """Return the response of a problem, with an example made by the service's own code."""
    _, description, detail = _PROBLEMS[status]
    slug = next((slug for known, slug in problems.STATUS.values() if known == status), "internal")
    example = problems.problem(
        status,
        "unavailable" if status == 503 else slug,
        detail,
        request_id="0f2b9e6c7a",
        field="email" if status == 409 else None,
        faults=_FAULTS if status == 422 else (),
    )
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": msgspec.json.decode(example.body)}
    headers = ["X-Request-ID", *_HEADERS_OF_PROBLEMS.get(status, ())]
    return {"description": description, "headers": refer_to_headers(headers), "content": {PROBLEM_TYPE: content}}


def refer_to_headers(names: list[str]) -> dict[str, Any]:
    """Return references to the header components."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
