"""The credentials of a request: a token in Authorization or in the cookie, and the origin of its page."""

import re
from typing import Any, NamedTuple

from service.errors import Forbidden, Malformed, Unauthenticated
from service.http.answers import header
from service.http.auth.cookies import COOKIE
from service.http.hosts import read_authority
from service.http.problems import SeveralCredentials

# RFC 9110, 11.4 and RFC 6750, 2.1: the scheme, spaces, and a token68.
_BEARER = re.compile(rb"(?i:bearer) +(?P<token>[A-Za-z0-9._~+/-]+=*)")
_SCHEME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)")
_PORTS = {"http": 80, "https": 443}
# `none`: the user typed the address or opened a bookmark.
_OWN_SITE = frozenset({"same-origin", "none"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

MALFORMED = "The Authorization header is malformed; it is written as `Authorization: Bearer roster_…`."


class Shown(NamedTuple):
    """The text of a token, and whether it came in the cookie."""

    token: str
    by_cookie: bool


def read_credentials(scope: Any) -> Shown | None:
    """Return the token of the request; Authorization goes before the cookie, and other schemes than Bearer are none.

    Raises:
        SeveralCredentials: there are two Authorization headers.
        Unauthenticated: Authorization is malformed, or the cookie is there twice.
    """
    if values := scope.get("authorization"):
        if len(values) > 1:
            raise SeveralCredentials("The request has more than one Authorization header.")
        if found := _BEARER.fullmatch(values[0]):
            return Shown(found["token"].decode("ascii"), by_cookie=False)
        scheme = _SCHEME.match(values[0])
        if scheme is None or scheme.group().lower() == b"bearer":
            raise Unauthenticated(MALFORMED, error="invalid_token")
    tokens = [token for value in scope.get("cookie", ()) for token in _cookies(value.decode("latin-1"))]
    if len(tokens) > 1:
        raise Unauthenticated(f"The request has the cookie {COOKIE} more than once.", error="invalid_token")
    return Shown(tokens[0], by_cookie=True) if tokens else None


def check_origin(scope: Any, *, by_cookie: bool) -> None:
    """Return unless a page of another origin may have made the request: a browser adds a cookie to such requests too.

    Without a cookie only a request that changes something is checked, and one that no page made passes.

    Raises:
        Forbidden: the origin is another one, or, with the cookie, missing.
    """
    safe = scope["method"] in _SAFE
    if safe and not by_cookie:
        return
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
    if site is not None:
        own = site in _OWN_SITE
    elif origin is not None:
        own = _is_own(origin, scope)
    else:
        own = safe or not by_cookie
    if not own:
        raise Forbidden(
            "The request comes from a page of another origin, or does not tell its origin: Sec-Fetch-Site must be "
            "same-origin, or Origin the address of this service. Programs send the token in Authorization."
        )


def _cookies(value: str) -> list[str]:
    pairs = (each.partition("=") for each in value.split(";"))
    return [text.strip(' \t"') for name, _, text in pairs if name.strip() == COOKIE]


def _is_own(origin: str, scope: Any) -> bool:
    found = _ORIGIN.fullmatch(origin.lower())
    host = header(scope, b"host")
    if found is None or host is None:
        return False
    # A proxy may terminate TLS, so the scheme of the page is not that of this connection.
    port = _PORTS[found["scheme"]]
    try:
        return read_authority(found["authority"].encode(), port) == read_authority(host.encode("latin-1"), port)
    except Malformed:
        return False
