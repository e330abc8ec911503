"""One request is one unit of work: handler and encoding run in a transaction; the response follows COMMIT."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal

from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.database import Database
from service.db.reader import ImmediateReader, Suspends
from service.http.answers import Answer
from service.http.audits import audit_of
from service.http.auth.permissions import PUBLIC, Access
from service.http.binding import Binding
from service.http.idempotency import Once
from service.http.json_objects import JsonObject
from service.http.operations import Operation, refusals
from service.http.placed import Placed
from service.http.rendering import render
from service.settings import Settings

Handler = Callable[..., Awaitable[Any]]
Endpoint = Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]
# Answers a request, or raises Suspends.
Immediate = Callable[[Any, ImmediateReader], Answer]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_PARAMETER = re.compile(r"\{(\w+)\}")


def reads(
    path: str, *, permission: Access, summary: str, result: Any = None, problems: tuple[int, ...] = ()
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a GET route of a handler that takes `reader: Reader`."""

    def decorate(handler: Handler) -> HTTPRouteHandler:
        operation, binding = _declare(handler, permission, summary, 200, problems, result=result)

        async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
            values = binding.bind(request.scope, b"")
            reader = _database(request).reader
            return render(await handler(reader=reader, **values), 200, request.scope)

        def immediate(scope: Any, reader: ImmediateReader) -> Answer:
            return render(_completed(handler(reader=reader, **binding.bind(scope, b""))), 200, scope)

        return _route("GET", path, endpoint, handler, operation, immediate)

    return decorate


def writes(
    method: Method,
    path: str,
    *,
    permission: Access,
    summary: str,
    status: int = 200,
    result: Any = None,
    problems: tuple[int, ...] = (),
    idempotent: bool = False,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a handler that takes `session: AsyncSession`; the response follows COMMIT."""

    def decorate(handler: Handler) -> HTTPRouteHandler:
        operation, binding = _declare(
            handler, permission, summary, status, problems, result=result, writes=True, idempotent=idempotent
        )
        keeps: Callable[..., bool] | None = getattr(handler, "keeps_access", None)

        async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
            settings: Settings = request.app.state["settings"]
            raw = await binding.read_body(request, settings.body_limit_bytes)
            values = binding.bind(request.scope, raw)
            once = None
            if idempotent:
                once = Once.of(request.scope, raw, timedelta(hours=settings.idempotency_hours))

            async def work(session: AsyncSession) -> Answer:
                if once is not None and (before := await once.recall(session)):
                    return before
                answer = render(await handler(session=session, **values), status, request.scope)
                if once is not None and answer.status < 400:
                    await once.keep(session, answer)
                return answer

            units = _database(request).units
            answer = await units.run(work, commit_if=_is_success, audit=audit_of(request.scope, "api"))
            if keeps is not None and keeps(**values):
                request.scope["keeps_access"] = True  # type: ignore[typeddict-unknown-key]
            return answer

        return _route(method, path, endpoint, handler, operation)

    return decorate


def keeps_access(keeps: Callable[..., bool]) -> Callable[[Handler], Handler]:
    """Declare, below `writes`, which requests change no token, no role and no user's right to use them.

    `keeps` gets the handler's arguments. This process then goes on trusting the tokens that it checked within the last
    second, which saves the next request a query (docs/decisions/0055).
    """

    def decorate(handler: Handler) -> Handler:
        handler.keeps_access = keeps  # type: ignore[attr-defined]
        return handler

    return decorate


def performs(
    method: Method,
    path: str,
    *,
    permission: Access,
    summary: str,
    status: int = 200,
    result: Any = None,
    problems: tuple[int, ...] = (),
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a handler that takes `request` and runs units of its own, around work that needs no connection.

    A password is hashed between two units: a transaction would hold a connection, or SQLite's one writer, meanwhile.
    """

    def decorate(handler: Handler) -> HTTPRouteHandler:
        operation, binding = _declare(handler, permission, summary, status, (413, *problems), result=result)

        async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
            settings: Settings = request.app.state["settings"]
            raw = await binding.read_body(request, settings.body_limit_bytes)
            values = binding.bind(request.scope, raw)
            return render(await handler(request=request, **values), status, request.scope)

        return _route(method, path, endpoint, handler, operation)

    return decorate


def serves(
    method: Method,
    path: str,
    *,
    permission: Access,
    summary: str,
    result: Any = None,
    problems: tuple[int, ...] = (),
    **more: Any,
) -> Callable[[Endpoint], HTTPRouteHandler]:
    """Make a route of an endpoint, from a request to an ASGI application; `more` is as in `Operation`."""

    def decorate(endpoint: Endpoint) -> HTTPRouteHandler:
        operation = Operation(
            name=endpoint.__name__,
            summary=summary,
            permission=permission,
            status=200,
            result=result,
            problems=tuple(sorted({500, *problems} | refusals(permission))),
            **more,
        )
        return _route(method, path, endpoint, endpoint, operation)

    return decorate


def page(path: str) -> Callable[[Endpoint], HTTPRouteHandler]:
    """Make a GET route that anybody may read and that the API description leaves out: a page, or a part of one."""

    def decorate(endpoint: Endpoint) -> HTTPRouteHandler:
        return _route("GET", path, endpoint, endpoint, None)

    return decorate


def _is_success(answer: Answer) -> bool:
    return answer.status < 400


def _database(request: Request[Any, Any, Any]) -> Database:
    database: Database = request.app.state["database"]
    return database


def _completed(running: Any) -> Any:
    """Return what a coroutine returns that waits for nothing; raises Suspends if it waits."""
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    running.close()
    raise Suspends


def _route(
    method: Method,
    path: str,
    endpoint: Endpoint,
    handler: Callable[..., Any],
    operation: Operation | None,
    immediate: Immediate | None = None,
) -> HTTPRouteHandler:
    """Return Litestar's handler, without a signature or a status: the endpoint sets both."""
    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    # `Shortcut` reads them for every request: attributes are the fastest place.
    attributes = vars(endpoint)
    attributes.update(permission=operation.permission if operation else PUBLIC, immediate=immediate)
    if operation is not None:
        attributes["operation"] = operation
    return route(_PARAMETER.sub(r"{\1:str}", path), http_method=HttpMethod(method), status_code=200)(endpoint)


def _declare(
    handler: Handler, permission: Access, summary: str, status: int, problems: tuple[int, ...], **more: Any
) -> tuple[Operation, Binding]:
    """Return the declaration of a handler, and the binding of its arguments."""
    binding = Binding(handler)
    statuses = {500, 503, *problems} | binding.statuses | refusals(permission)
    if more.get("writes"):
        statuses |= {413} | ({409} if binding.body else set()) | ({412} if binding.conditional else set())
    more["result"] = more["result"] or (None if binding.returned is Answer else binding.returned)
    tagged = more["result"] == JsonObject or "version" in getattr(more["result"], "__struct_fields__", ())
    if tagged and not more.get("writes"):
        statuses.add(412)
    operation = Operation(
        name=handler.__name__,
        summary=summary,
        permission=permission,
        status=status,
        problems=tuple(sorted(statuses)),
        body=binding.body,
        query=binding.query,
        conditional=binding.conditional,
        tagged=tagged,
        names=binding.names,
        places=binding.returned is Placed,
        **more,
    )
    return operation, binding
