"""From Litestar's router, past the check of the token, straight to an endpoint."""

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Receive, Send

from service.http.auth.authentication import Authentication
from service.http.codings import check_codings


class Shortcut:
    """A middleware of Litestar's that calls the endpoint itself: what it takes is a request, what it returns an answer.

    Litestar would make keyword arguments of the signature, open a stack for dependencies and wrap what comes back, a
    quarter of the time a request takes (docs/decisions/0016). So guards, dependencies and hooks of a route are not run.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            # Litestar's own handler.
            await self._app(scope, receive, send)
            return
        if "content_codings" in scope:
            check_codings(scope)
        endpoint = scope["route_handler"].fn
        # Before the body is read or the handler is asked.
        scope["actor"] = await self._authentication.admit(scope, endpoint.permission)
        request: Request[Any, Any, Any] = Request(scope, receive=receive, send=send)
        try:
            answer = await endpoint(request)
        finally:
            # Also after a failure: whether a COMMIT took place is not always known.
            self._authentication.forget_after(scope["method"], endpoint.permission)
        await answer(scope, receive, send)
