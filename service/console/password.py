"""The page that a password link opens."""

from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Router
from litestar.types import ASGIApp

from service.errors import NotFound
from service.http.docs import Asset
from service.http.unit import page

_FOLDER = Path(__file__).parent
_FOR_EVER = b"public, max-age=31536000, immutable"
_ASK_FIRST = b"no-cache"


@cache
def _assets() -> dict[str, Asset]:
    parts = {
        kind: Asset(f"password.{suffix}", (_FOLDER / f"password.{suffix}").read_bytes())
        for kind, suffix in (("style", "css"), ("script", "js"))
    }
    html = (_FOLDER / "password.html").read_text().format_map({kind: part.name for kind, part in parts.items()})
    return parts | {"page": Asset("password.html", html.encode())}


@page("/password")
async def get_password_page(request: Request[Any, Any, Any]) -> ASGIApp:
    return _assets()["page"].answer(request.scope, _ASK_FIRST)


@page("/password/{file}")
async def get_password_file(request: Request[Any, Any, Any]) -> ASGIApp:
    for each in _assets().values():
        if each.name == request.path_params["file"]:
            return each.answer(request.scope, _FOR_EVER)
    raise NotFound("There is nothing at this address.")


router = Router("/", route_handlers=[get_password_page, get_password_file])
