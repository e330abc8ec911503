"""The OpenAPI document at /openapi.json and Swagger UI at /docs, which load nothing from other hosts."""

import asyncio
import gzip
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.types import ASGIApp

from service.errors import NotFound
from service.http.answers import Answer, header
from service.http.auth.permissions import PUBLIC
from service.http.etags import is_known
from service.http.openapi import describe_api
from service.http.unit import page, serves

_SWAGGER = Path(__file__).parent / "swagger"
_MEDIA_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".svg": b"image/svg+xml",
}
# Swagger UI draws its arrows from data: URLs; everything else is served here.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The name contains a hash of the content, so a cached copy is never stale.
_FOR_EVER = b"public, max-age=31536000, immutable"
_A_DAY = b"public, max-age=86400"
_ASK_FIRST = b"no-cache"
_REFUSED = re.compile(r"\s*q=0(?:\.0*)?\s*")

_START = b"""\
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    // The default sends the document to a validator on the internet.
    validatorUrl: null,
  });
});
"""
_ICON = b"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#1b5e8a"/>\
<g fill="#fff"><circle cx="10" cy="11" r="3"/><circle cx="10" cy="21" r="3"/>\
<rect x="16" y="9.5" width="10" height="3" rx="1"/><rect x="16" y="19.5" width="10" height="3" rx="1"/></g></svg>
"""
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Roster API</title>
<link rel="icon" type="image/svg+xml" href="/docs/{icon}">
<link rel="stylesheet" href="/docs/{style}">
</head>
<body>
<div id="docs"><noscript>This page needs JavaScript; the API itself is described in
<a href="/openapi.json">openapi.json</a>.</noscript></div>
<script src="/docs/{bundle}"></script>
<script src="/docs/{start}"></script>
</body>
</html>
"""


class Asset:
    """A static file, plain and compressed, with a hash of its content in its name."""

    def __init__(self, name: str, content: bytes) -> None:
        stem, suffix = Path(name).stem, Path(name).suffix
        self._digest = sha256(content).hexdigest()[:16]
        self.name = f"{stem}.{self._digest}{suffix}"
        self._media_type = _MEDIA_TYPES[suffix]
        self._plain = content
        self._packed = gzip.compress(content, mtime=0)

    def answer(self, scope: Any, cache_control: bytes) -> Answer:
        packed = _takes_gzip(header(scope, b"accept-encoding"))
        # The compressed form needs an ETag of its own (RFC 9110, 8.8.3).
        tag = f'"{self._digest}-gzip"' if packed else f'"{self._digest}"'
        headers = [
            (b"etag", tag.encode()),
            (b"cache-control", cache_control),
            (b"vary", b"Accept-Encoding"),
        ]
        if self._media_type == _MEDIA_TYPES[".html"]:
            # Also with 304: a browser takes the headers of the newest response for the page that it kept.
            headers += [(b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer")]
        if is_known(scope, tag):
            return Answer(status=304, headers=headers)
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        return Answer(self._packed if packed else self._plain, media_type=self._media_type, headers=headers)


def _takes_gzip(accepted: str | None) -> bool:
    for each in (accepted or "").lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not _REFUSED.fullmatch(weight)
    return False


@cache
def _assets() -> dict[str, Asset]:
    """Return the files of the page by the names that `_PAGE` uses."""
    page = {
        "icon": Asset("favicon.svg", _ICON),
        "style": Asset("swagger-ui.css", (_SWAGGER / "swagger-ui.css").read_bytes()),
        "bundle": Asset("swagger-ui-bundle.js", (_SWAGGER / "swagger-ui-bundle.js").read_bytes()),
        "start": Asset("start.js", _START),
    }
    html = _PAGE.format_map({placeholder: asset.name for placeholder, asset in page.items()})
    return page | {"page": Asset("docs.html", html.encode())}


async def _prepared() -> dict[str, Asset]:
    # Compression takes 0.1 s, once; in a thread it does not delay other requests.
    return await asyncio.to_thread(_assets)


@serves(
    "GET",
    "/openapi.json",
    permission=PUBLIC,
    summary="Read this description of the API",
    result=dict[str, Any],
    tagged=True,
    problems=(400, 412),
)
async def get_openapi(request: Request[Any, Any, Any]) -> ASGIApp:
    state = request.app.state
    if "openapi" not in state:
        state["openapi"] = Asset("openapi.json", msgspec.json.encode(describe_api(request.app)))
    asset: Asset = state["openapi"]
    return asset.answer(request.scope, _ASK_FIRST)


@page("/docs")
async def get_docs(request: Request[Any, Any, Any]) -> ASGIApp:
    return (await _prepared())["page"].answer(request.scope, _ASK_FIRST)


@page("/docs/{file}")
async def get_docs_file(request: Request[Any, Any, Any]) -> ASGIApp:
    for asset in (await _prepared()).values():
        if asset.name == request.path_params["file"]:
            return asset.answer(request.scope, _FOR_EVER)
    raise NotFound("There is nothing at this address.")


@page("/favicon.ico")
async def get_favicon(request: Request[Any, Any, Any]) -> ASGIApp:
    return (await _prepared())["icon"].answer(request.scope, _A_DAY)


router = Router("/", route_handlers=[get_openapi, get_docs, get_docs_file, get_favicon])
