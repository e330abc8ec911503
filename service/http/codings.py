"""Content-Encoding of a request: no body is decoded here."""

from typing import Any

from service.http.answers import content_length, header
from service.http.problems import UnsupportedCoding

_MOST_SHOWN = 100


def check_codings(scope: Any) -> None:
    """Return if the body, where there is one, is sent as it is.

    Raises:
        UnsupportedCoding: it has content codings; `identity` and empty list members are none (RFC 9110, 8.4).
    """
    listed = b",".join(scope["content_codings"]).decode("latin-1").split(",")
    codings = [name for each in listed if (name := each.strip()) and name.lower() != "identity"]
    if codings and _has_body(scope):
        shown = ", ".join(codings)[:_MOST_SHOWN].encode("ascii", "backslashreplace").decode()
        raise UnsupportedCoding(f"The body is encoded as {shown}; send it without a Content-Encoding.")


def _has_body(scope: Any) -> bool:
    return header(scope, b"transfer-encoding") is not None or content_length(scope) > 0
