"""The page that the setup URL opens."""

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
        "style": Asset("setup.css", (_FOLDER / "password.css").read_bytes()),
        "script": Asset("setup.js", (_FOLDER / "setup.js").read_bytes()),
    }
    html = (_FOLDER / "setup.html").read_text().format_map({kind: part.name for kind, part in parts.items()})
    return parts | {"page": Asset("setup.html", html.encode())}


@page("/setup")
async def get_setup_page(request: Request[Any, Any, Any]) -> ASGIApp:
    return _assets()["page"].answer(request.scope, _ASK_FIRST)


@page("/setup/{file}")
async def get_setup_file(request: Request[Any, Any, Any]) -> ASGIApp:
    for each in _assets().values():
        if each.name == request.path_params["file"]:
            return each.answer(request.scope, _FOR_EVER)
    raise NotFound("There is nothing at this address.")


router = Router("/", route_handlers=[get_setup_page, get_setup_file])
