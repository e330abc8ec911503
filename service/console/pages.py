"""Pages without a framework: HTML and a script of their own, and the style that they share."""

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


def page_at(name: str) -> Router:
    """Return the routes of the page `/NAME`, which is made of NAME.html and NAME.js."""

    @page(f"/{name}")
    async def get_page(request: Request[Any, Any, Any]) -> ASGIApp:
        return _assets(name)["page"].answer(request.scope, _ASK_FIRST)

    @page(f"/{name}/{{file}}")
    async def get_file(request: Request[Any, Any, Any]) -> ASGIApp:
        for each in _assets(name).values():
            if each.name == request.path_params["file"]:
                return each.answer(request.scope, _FOR_EVER)
        raise NotFound("There is nothing at this address.")

    return Router("/", route_handlers=[get_page, get_file])


@cache
def _assets(name: str) -> dict[str, Asset]:
    parts = {
        "style": Asset(f"{name}.css", (_FOLDER / "page.css").read_bytes()),
        "script": Asset(f"{name}.js", (_FOLDER / f"{name}.js").read_bytes()),
    }
    html = (_FOLDER / f"{name}.html").read_text().format_map({kind: part.name for kind, part in parts.items()})
    return parts | {"page": Asset(f"{name}.html", html.encode())}
