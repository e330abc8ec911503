"""Probes and metrics over HTTP: liveness, readiness, version, Prometheus."""

import asyncio
from typing import Any, Literal

import msgspec
from litestar import Request, Router
from litestar.types import ASGIApp

from service import __version__
from service.db.database import Database
from service.errors import Unavailable
from service.http.answers import Answer
from service.http.auth.permissions import ANYONE, PUBLIC
from service.http.unit import serves
from service.observability import readiness
from service.observability.metrics import MEDIA_TYPE

_READY_SECONDS = 2.0
_encode = msgspec.json.Encoder().encode


class Liveness(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]


class Readiness(msgspec.Struct, frozen=True):
    """The database answers and its schema can be used; revision is that of the schema."""

    status: Literal["ready"]
    revision: str


class Version(msgspec.Struct, frozen=True):
    """The name and the version of the service."""

    name: Literal["roster"]
    version: str


@serves("GET", "/livez", permission=PUBLIC, summary="Liveness probe", result=Liveness)
async def get_liveness(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """The process answers; the database is not asked."""
    return Answer(_encode(Liveness("alive")))


@serves("GET", "/readyz", permission=PUBLIC, summary="Readiness probe", result=Readiness, problems=(503,))
async def get_readiness(request: Request[Any, Any, Any]) -> ASGIApp:
    """The database answers, and the revision of its schema lies in the range that this version works with."""
    database: Database = request.app.state["database"]
    try:
        async with asyncio.timeout(_READY_SECONDS):
            revision, compatibility = await readiness.check(database.reading)
    except TimeoutError:
        raise Unavailable(f"The database did not answer within {_READY_SECONDS:g} seconds.") from None
    return Answer(msgspec.json.encode({"status": "ready", "revision": revision, "schema": compatibility}))


@serves("GET", "/version", permission=ANYONE, summary="Read the version", result=Version)
async def get_version(request: Request[Any, Any, Any]) -> ASGIApp:  # noqa: ARG001 - the shape of every endpoint
    """The version of the service."""
    return Answer(_encode(Version("roster", __version__)))


@serves("GET", "/metrics", permission="metrics.read", summary="Read the metrics", gives=(MEDIA_TYPE.decode(),))
async def get_metrics(request: Request[Any, Any, Any]) -> ASGIApp:
    """Metrics in the Prometheus text format."""
    return Answer(request.app.state["metrics"].render(), media_type=MEDIA_TYPE)


router = Router("/", route_handlers=[get_liveness, get_readiness, get_version, get_metrics])
