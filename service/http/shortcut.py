"""Checks the token, and calls an endpoint straight from Litestar's router."""

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Receive, Send

from service.errors import RosterError, Unavailable
from service.http.auth.authentication import Authentication
from service.http.codings import check_codings


class Shortcut:
    """A middleware that calls the endpoint with the request, and sends the response that the endpoint returns.

    Litestar's own handling (keyword arguments, a stack for dependencies, conversion of the result) takes a quarter of a
    request's time (docs/decisions/0016). Guards, dependencies and hooks of a route do not run.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            # A handler that Litestar calls itself.
            await self._app(scope, receive, send)
            return
        if "content_codings" in scope:
            check_codings(scope)
        endpoint = scope["route_handler"].fn
        # Before the body is read or the handler is asked.
        scope["actor"] = await self._authentication.admit(scope, endpoint.permission)
        request: Request[Any, Any, Any] = Request(scope, receive=receive, send=send)
        is_refused = False
        try:
            answer = await endpoint(request)
        except RosterError as failure:
            is_refused = not isinstance(failure, Unavailable)
            raise
        finally:
            # A refusal stored no token, and anyone could empty the cache with wrong logins. After other errors
            # whether a COMMIT took place is not always known.
            if not (is_refused or "keeps_access" in scope):
                self._authentication.forget_after(scope["method"], endpoint.permission)
        await answer(scope, receive, send)
