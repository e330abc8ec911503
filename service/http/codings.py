"""Refuses requests with a Content-Encoding."""

from typing import Any

from service.http.answers import content_length, header
from service.http.problems import UnsupportedCoding

_MOST_SHOWN = 100


def check_codings(scope: Any) -> None:
    """Return if the request has no content coding.

    Raises:
        UnsupportedCoding: the body is encoded; `identity` and empty list members do not count (RFC 9110, 8.4).
    """
    listed = b",".join(scope["content_codings"]).decode("latin-1").split(",")
    codings = [name for each in listed if (name := each.strip()) and name.lower() != "identity"]
    if codings and _has_body(scope):
        shown = ", ".join(codings)[:_MOST_SHOWN].encode("ascii", "backslashreplace").decode()
        raise UnsupportedCoding(f"The body is encoded as {shown}; send it without a Content-Encoding.")


def _has_body(scope: Any) -> bool:
    return header(scope, b"transfer-encoding") is not None or content_length(scope) > 0
