"""What those who run the service ask it: is it alive, is it ready, which version is it, how is it doing."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Router, get
from litestar.types import ASGIApp

from service import __version__
from service.db.database import Database
from service.errors import RosterError, Unavailable
from service.http.answers import Answer
from service.migrate.range import require_supported
from service.observability.metrics import MEDIA_TYPE

_READY_SECONDS = 2.0


@get("/livez")
async def get_liveness(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """This process runs its loop; a database that is away is no reason to restart it."""
    return Answer(b'{"status":"alive"}')


@get("/readyz")
async def get_readiness(request: Request[Any, Any, Any]) -> ASGIApp:
    """The database answers, and its schema lies in the range that this code works with."""
    database: Database = request.app.state["database"]
    try:
        async with asyncio.timeout(_READY_SECONDS):
            revision = await require_supported(database.reader)
    except TimeoutError:
        raise Unavailable(f"The database did not answer within {_READY_SECONDS:g} seconds.") from None
    return Answer(msgspec.json.encode({"status": "ready", "revision": revision}))


@get("/version")
async def get_version(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """The version of the code."""
    return Answer(msgspec.json.encode({"name": "roster", "version": __version__}))


@get("/metrics")
async def get_metrics(request: Request[Any, Any, Any]) -> ASGIApp:
    """Figures for Prometheus."""
    return Answer(request.app.state["metrics"].render(), media_type=MEDIA_TYPE)


router = Router("/", route_handlers=[get_liveness, get_readiness, get_version, get_metrics])
