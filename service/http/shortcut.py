"""From Litestar's router straight to an endpoint."""

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Receive, Send

from service.http.codings import check_codings


class Shortcut:
    """A middleware of Litestar's that calls the endpoint itself: what it takes is a request, what it returns an answer.

    Litestar would make keyword arguments of the signature, open a stack for dependencies and wrap what comes back, a
    quarter of the time a request takes (docs/decisions/0016). So guards, dependencies and hooks of a route are not run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            # Litestar's own handler.
            await self._app(scope, receive, send)
            return
        if "content_codings" in scope:
            check_codings(scope)
        request: Request[Any, Any, Any] = Request(scope, receive=receive, send=send)
        answer = await scope["route_handler"].fn(request)
        await answer(scope, receive, send)
