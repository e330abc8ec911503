"""One request is one unit: the handler runs inside a transaction, its answer is encoded there, then stored, then sent."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_type_hints

import msgspec
from litestar import Request
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.database import Database
from service.db.reader import Reader
from service.errors import Malformed, NotFound
from service.http.answers import Answer, header
from service.http.etags import Conditions, etag, is_known
from service.http.idempotency import Once
from service.http.pages import Page
from service.http.problems import TooLarge, UnsupportedMedia
from service.http.wire import Body, Parameters
from service.settings import Settings

Handler = Callable[..., Awaitable[Any]]
Endpoint = Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]

_encode = msgspec.json.Encoder().encode
_ID = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST_ID = 2**63 - 1
_NOTHING = Answer(status=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a handler declares of itself; the API description is made of these.

    `problems` are the statuses of all that can go wrong, those that binding its arguments finds included.
    """

    name: str
    summary: str
    status: int
    result: Any
    problems: tuple[int, ...]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    writes: bool = False
    conditional: bool = False
    tagged: bool = False
    idempotent: bool = False
    # Media types of a body or an answer that is no JSON document.
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()


class Shown:
    """A document whose ETag covers more than its own row."""

    __slots__ = ("document",)

    def __init__(self, document: msgspec.Struct) -> None:
        self.document = document


class Placed:
    """What PUT leaves behind, and whether it was not there before."""

    __slots__ = ("created", "document")

    def __init__(self, document: msgspec.Struct, *, created: bool) -> None:
        self.document = document
        self.created = created


def reads(*, summary: str, result: Any = None, problems: tuple[int, ...] = ()) -> Callable[[Handler], Endpoint]:
    """Make an endpoint of a handler that takes `reader: Reader` and only reads."""

    def decorate(handler: Handler) -> Endpoint:
        operation, bind = _declare(handler, summary, 200, problems, result=result)

        async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
            values = bind(request.scope, b"")
            reader = _database(request).reader
            return _render(await handler(reader=reader, **values), 200, request.scope)

        return _named(endpoint, handler, operation)

    return decorate


def writes(
    *,
    summary: str,
    status: int = 200,
    result: Any = None,
    problems: tuple[int, ...] = (),
    idempotent: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Make an endpoint of a handler that takes `session: AsyncSession`; what it answers is true when it is sent."""

    def decorate(handler: Handler) -> Endpoint:
        operation, bind = _declare(
            handler, summary, status, problems, result=result, writes=True, idempotent=idempotent
        )

        async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
            settings: Settings = request.app.state["settings"]
            raw = await _read_body(request, operation, settings.body_limit_bytes)
            values = bind(request.scope, raw)
            once = None
            if idempotent:
                once = Once.of(request.scope, raw, timedelta(hours=settings.idempotency_hours))

            async def work(session: AsyncSession) -> Answer:
                if once is not None and (before := await once.recall(session)):
                    return before
                answer = _render(await handler(session=session, **values), status, request.scope)
                if once is not None and answer.status < 400:
                    await once.keep(session, answer)
                return answer

            return await _database(request).units.run(work, keep=_is_success)

        return _named(endpoint, handler, operation)

    return decorate


def serves(
    *,
    summary: str,
    result: Any = None,
    gives: tuple[str, ...] = (),
    tagged: bool = False,
    problems: tuple[int, ...] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Declare an endpoint that binds nothing of the request and needs no transaction."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        operation = Operation(
            name=endpoint.__name__,
            summary=summary,
            status=200,
            result=result,
            gives=gives,
            tagged=tagged,
            problems=tuple(sorted({500, *problems})),
        )
        return _named(endpoint, endpoint, operation)

    return decorate


def _is_success(answer: Answer) -> bool:
    return answer.status < 400


def _database(request: Request[Any, Any, Any]) -> Database:
    database: Database = request.app.state["database"]
    return database


def _named(endpoint: Endpoint, handler: Callable[..., Any], operation: Operation) -> Endpoint:
    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    endpoint.operation = operation  # type: ignore[attr-defined]
    return endpoint


def _declare(
    handler: Handler, summary: str, status: int, problems: tuple[int, ...], **more: Any
) -> tuple[Operation, Callable[[Any, bytes], dict[str, Any]]]:
    """Return what the handler declares, and what makes its arguments of a request."""
    hints = get_type_hints(handler)
    returned = hints.pop("return")
    binders: dict[str, Callable[[Any, bytes], Any]] = {}
    statuses = {400, 422, 500, 503, *problems} | ({413} if more.get("writes") else set())
    for name, kind in hints.items():
        if kind in (Reader, AsyncSession):
            continue
        if name == "body":
            reader = Body(kind)
            binders[name] = lambda _scope, raw, reader=reader: reader.read(raw)
            more["body"] = kind
            statuses |= {409, 415}
        elif name == "query":
            parameters = Parameters(kind)
            binders[name] = lambda scope, _raw, parameters=parameters: parameters.read(scope["query_string"])
            more["query"] = kind
        elif kind is Conditions:
            binders[name] = lambda scope, _raw: Conditions(scope)
            more["conditional"] = True
            statuses.add(412)
        else:
            binders[name] = lambda scope, _raw, name=name: read_id(scope["path_params"][name])
            statuses.add(404)
    if "query" not in binders:
        binders["query"] = lambda scope, _raw: _NO_PARAMETERS.read(scope["query_string"])

    def bind(scope: Any, raw: bytes) -> dict[str, Any]:
        values = {name: binder(scope, raw) for name, binder in binders.items()}
        if "query" not in hints:
            del values["query"]
        return values

    more["result"] = more["result"] or returned
    more["tagged"] = "version" in getattr(more["result"], "__struct_fields__", ())
    told = tuple(sorted(statuses))
    operation = Operation(name=handler.__name__, summary=summary, status=status, problems=told, **more)
    return operation, bind


class _NoParameters(msgspec.Struct):
    pass


_NO_PARAMETERS = Parameters(_NoParameters)


def read_id(text: str) -> int:
    """Return the id in a path; whatever else stands there is the address of nothing.

    Raises:
        NotFound: it is no id.
    """
    if not _ID.fullmatch(text) or (number := int(text)) > _LARGEST_ID:
        raise NotFound("There is nothing at this address.")
    return number


async def _read_body(request: Request[Any, Any, Any], operation: Operation, limit: int) -> bytes:
    """Return the whole body, before a connection is taken from the pool."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The request ended before its body did.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body is longer than {limit} bytes.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    raw = b"".join(chunks)
    if operation.body is not None:
        _check_media(request.scope, raw)
    return raw


def _check_media(scope: Any, raw: bytes) -> None:
    media = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    known = (
        ("application/json", "application/merge-patch+json") if scope["method"] == "PATCH" else ("application/json",)
    )
    if media not in known:
        raise UnsupportedMedia(f"The body is {media or 'of no named type'}; {' or '.join(known)} is read here.")
    if not raw:
        raise Malformed("A body is required here.")


def _render(result: Any, status: int, scope: Any) -> Answer:
    if result is None:
        return _NOTHING
    if isinstance(result, Answer):
        return result
    if isinstance(result, Page):
        return result.answer(scope)
    if isinstance(result, Shown):
        body = _encode(result.document)
        return _document(body, etag(result.document.version, body), status, scope)  # type: ignore[attr-defined]
    if isinstance(result, Placed):
        status, result = (201 if result.created else 200), result.document
        return _document(_encode(result), etag(result.version), status, scope)
    answer = _document(_encode(result), etag(result.version), status, scope)
    if status == 201:
        answer.headers.append((b"location", f"{scope['path']}/{result.id}".encode()))
    return answer


def _document(body: bytes, tag: str, status: int, scope: Any) -> Answer:
    if status == 200 and scope["method"] == "GET" and is_known(scope, tag):
        return Answer(status=304, headers=((b"etag", tag.encode()),))
    return Answer(body, status=status, headers=((b"etag", tag.encode()),))
