"""Checks the token, and calls an endpoint without what Litestar does between its router and a handler."""

from functools import partial
from typing import Any

from litestar import Litestar, Request
from litestar.types import ASGIApp, Receive, Send

from service.db.reader import ImmediateReader
from service.errors import RosterError, Unavailable
from service.http.answers import Answer
from service.http.auth.authentication import Authentication
from service.http.codings import check_codings
from service.http.routing import Routes


class Shortcut:
    """A middleware that calls the endpoint with the request, and sends the response that the endpoint returns.

    Litestar's own handling (keyword arguments, a stack for dependencies, conversion of the result) takes a quarter of a
    request's time (docs/decisions/0016). Guards, dependencies and hooks of a route do not run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            # A handler that Litestar calls itself.
            await self._app(scope, receive, send)
            return
        await answer(scope["route_handler"].fn, scope["app"].state["authentication"], scope, receive, send)


class Direct:
    """The application in front of Litestar's router: requests that have an endpoint do not pass through Litestar.

    What has none is Litestar's to answer, OPTIONS too; its routes have `Shortcut` as their middleware.
    """

    def __init__(self, app: Litestar, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication
        self._routes = Routes(app)
        reader: ImmediateReader | None = app.state["database"].reader.immediate
        self.immediate = None if reader is None else partial(self._immediate, reader)

    def _immediate(self, reader: ImmediateReader, scope: Any) -> Answer | None:
        """Return the answer to a GET request that nothing has to be waited for; `None` for others.

        Raises:
            Exception: the request has to be answered in the usual way, which repeats what failed.
        """
        if scope["root_path"] or "content_codings" in scope:
            return None
        found = self._routes.find("GET", scope["path"])
        if found is None:
            return None
        endpoint: Any
        (endpoint, scope["path_template"], _), scope["path_params"] = found
        immediate = getattr(endpoint, "immediate", None)
        if immediate is None:
            return None
        actor = scope["actor"] = self._authentication.recognise(scope, endpoint.permission)
        if actor is None:
            return None
        answer: Answer = immediate(scope, reader)
        self._authentication.count_recognised(actor)
        return answer

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and not scope.get("root_path"):
            found = self._routes.find(scope["method"], scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        (endpoint, scope["path_template"], _), scope["path_params"] = found
        # Where Litestar's Request looks for them.
        scope["app"] = scope["litestar_app"] = self._app
        scope.setdefault("state", {})
        await answer(endpoint, self._authentication, scope, receive, send)


async def answer(endpoint: Any, authentication: Authentication, scope: Any, receive: Receive, send: Send) -> None:
    """Check who asks, call the endpoint, and send what it returns."""
    if "content_codings" in scope:
        check_codings(scope)
    # Before the body is read or the handler is asked.
    scope["actor"] = await authentication.admit(scope, endpoint.permission)
    request = _LeanRequest(scope, receive, send)
    is_refused = False
    try:
        response = await endpoint(request)
    except RosterError as failure:
        is_refused = not isinstance(failure, Unavailable)
        raise
    finally:
        # A refusal stored no token, and anyone could empty the cache with wrong logins. After other errors
        # whether a COMMIT took place is not always known.
        if not (is_refused or "keeps_access" in scope):
            authentication.forget_after(scope["method"], endpoint.permission)
    await response(scope, receive, send)


class _LeanRequest(Request[Any, Any, Any]):
    """A request that makes what Litestar keeps with it at its first use: endpoints seldom need it."""

    __slots__ = ("_is_whole",)

    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self._is_whole = False

    def __getattr__(self, name: str) -> Any:
        if self._is_whole:
            raise AttributeError(name)
        self._is_whole = True
        super().__init__(self.scope, self.receive, self.send)
        return getattr(self, name)
