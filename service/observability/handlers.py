"""What those who run the service ask it: is it alive, is it ready, which version is it, how is it doing."""

import asyncio
from typing import Any, Literal

import msgspec
from litestar import Request, Router
from litestar.types import ASGIApp

from service import __version__
from service.db.database import Database
from service.errors import Unavailable
from service.http.answers import Answer
from service.http.unit import serves
from service.observability import readiness
from service.observability.metrics import MEDIA_TYPE

_READY_SECONDS = 2.0
_encode = msgspec.json.Encoder().encode


class Liveness(msgspec.Struct, frozen=True):
    """That the process answers."""

    status: Literal["alive"]


class Readiness(msgspec.Struct, frozen=True):
    """That the database answers, and the revision of its schema."""

    status: Literal["ready"]
    revision: str


class Version(msgspec.Struct, frozen=True):
    """Which code this is."""

    name: Literal["roster"]
    version: str


@serves("GET", "/livez", summary="Tell whether the process is alive", result=Liveness)
async def get_liveness(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """This process runs its loop; a database that is away is no reason to restart it."""
    return Answer(_encode(Liveness("alive")))


@serves("GET", "/readyz", summary="Tell whether requests can be served", result=Readiness, problems=(503,))
async def get_readiness(request: Request[Any, Any, Any]) -> ASGIApp:
    """The database answers, and its schema lies in the range that this code works with."""
    database: Database = request.app.state["database"]
    try:
        async with asyncio.timeout(_READY_SECONDS):
            revision, place = await readiness.check(database.reading)
    except TimeoutError:
        raise Unavailable(f"The database did not answer within {_READY_SECONDS:g} seconds.") from None
    return Answer(msgspec.json.encode({"status": "ready", "revision": revision, "schema": place}))


@serves("GET", "/version", summary="Read the version", result=Version)
async def get_version(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """The version of the code."""
    return Answer(_encode(Version("roster", __version__)))


@serves("GET", "/metrics", summary="Read the figures", gives=(MEDIA_TYPE.decode(),))
async def get_metrics(request: Request[Any, Any, Any]) -> ASGIApp:
    """Figures for Prometheus."""
    return Answer(request.app.state["metrics"].render(), media_type=MEDIA_TYPE)


router = Router("/", route_handlers=[get_liveness, get_readiness, get_version, get_metrics])
