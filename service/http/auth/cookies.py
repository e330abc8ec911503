"""The cookie that carries a session's token for pages."""

from typing import Any, Final

from service.http.answers import header

COOKIE: Final = "roster_session"


def session_cookie(token: str, seconds: int, *, secure: bool) -> tuple[bytes, bytes]:
    """Return the Set-Cookie of a session: HttpOnly, and SameSite=Strict against CSRF."""
    written = f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return b"set-cookie", f"{written}; Secure".encode() if secure else written.encode()


NO_SESSION_COOKIE: Final = session_cookie("", 0, secure=False)


def is_secure(scope: Any) -> bool:
    """Return whether the client uses TLS, which a proxy may terminate: by Origin, or by the proxy's header.

    Anyone can write these headers; a client that does so wrongly gets a cookie that it never sends.
    """
    forwarded = (header(scope, b"forwarded") or "").replace(" ", "").replace('"', "").lower()
    return (
        scope.get("scheme") == "https"
        or (header(scope, b"origin") or "").lower().startswith("https://")
        or (header(scope, b"x-forwarded-proto") or "").split(",")[0].strip().lower() == "https"
        or "proto=https" in forwarded
    )
