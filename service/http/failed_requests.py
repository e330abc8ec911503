"""The problem documents of every exception in a request, those of Litestar included.

Not in problems.py: Litestar takes 0.2 s to import, which commands that serve nothing do without.
"""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from service.http import problems
from service.http.answers import Answer
from service.http.problems import problem, title

log = structlog.get_logger()


def answer_failure(request: Request[Any, Any, Any], failure: Exception) -> Response[bytes]:
    """Return the problem document of a failure, as an exception handler of Litestar."""
    answer = describe(failure, request.scope.get("request_id"))  # type: ignore[arg-type]
    headers = {name.decode(): value.decode() for name, value in answer.headers if name != b"content-length"}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=headers["content-type"])


def describe(failure: Exception, request_id: str | None) -> Answer:
    """Return the problem document of any exception."""
    if isinstance(failure, HTTPException):
        return _from_litestar(failure, request_id)
    return problems.describe(failure, request_id)


_LITESTAR_DETAILS = {
    404: "There is nothing at this address.",
    405: "This method is not served at this address; see Allow.",
}


def _from_litestar(failure: HTTPException, request_id: str | None) -> Answer:
    status = failure.status_code
    slug = title(status).lower().replace(" ", "-")
    if status >= 500:
        log.error("request failed", request_id=request_id, exc_info=failure)
    headers = tuple(
        (name.lower().encode(), value.encode())
        for name, value in (failure.headers or {}).items()
        if name.lower() != "allow"
    )
    if status == 405:
        headers += ((b"allow", allowed((failure.headers or {}).get("allow", "").split(", ")).encode()),)
    return problem(status, slug, _LITESTAR_DETAILS.get(status, failure.detail), request_id=request_id, headers=headers)


def allowed(methods: list[str]) -> str:
    """Return the value of Allow; GET implies HEAD."""
    served = {*methods, "OPTIONS"} - {""}
    return ", ".join(sorted(served | {"HEAD"} if "GET" in served else served))
