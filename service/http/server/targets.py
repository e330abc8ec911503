"""Checks of the request line and of Transfer-Encoding that llhttp lacks."""

import re
from urllib.parse import unquote

from service.errors import Malformed, RosterError
from service.http.hosts import read_authority
from service.http.problems import NotImplementedHere, UnsupportedVersion

_ABSOLUTE = re.compile(rb"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_PORTS = {b"http": 80, b"https": 443}
# Errors of llhttp for other versions of HTTP.
_VERSIONS = frozenset({"Invalid HTTP version", "Pause on PRI/Upgrade"})

Headers = list[tuple[bytes, bytes]]


def read_target(target: bytes, headers: Headers) -> tuple[str, bytes, bytes]:
    """Return path, raw path and query of a request target in origin, absolute or asterisk form.

    Raises:
        Malformed: the target has another form, or another host than Host.
    """
    if not target.startswith(b"/") and target != b"*":
        target = _origin_form(target, headers)
    raw_path, _, query = target.partition(b"#")[0].partition(b"?")
    path = raw_path.decode("ascii")
    return unquote(path) if "%" in path else path, raw_path, query


def _origin_form(target: bytes, headers: Headers) -> bytes:
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        raise Malformed("The request target is neither a path nor an http or https address.")
    port = _PORTS[found["scheme"].lower()]
    named = read_authority(found["authority"], port)
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts:
        # HTTP/1.0 needs no Host; the host of the target is checked instead.
        headers.append((b"host", found["authority"]))
    elif len(hosts) == 1 and read_authority(hosts[0], port) != named:
        raise Malformed("The request target names another host than the Host header.")
    rest = found["rest"]
    return rest if rest.startswith(b"/") else b"/" + rest


def check_transfer_coding(codings: list[bytes], version: str) -> None:
    """Return if chunked is the only transfer coding (RFC 9112, 6.1).

    Raises:
        Malformed: the end of the body is ambiguous.
        NotImplementedHere: there is another transfer coding.
    """
    *others, last = [each.strip().lower() for each in b",".join(codings).split(b",")]
    if last != b"chunked" or version == "1.0":
        raise Malformed("Transfer-Encoding must end with chunked, and HTTP/1.0 has none.")
    if others:
        raise NotImplementedHere("Transfer-Encoding can only be chunked here.")


def found_by_parser(error: Exception, *, in_body: bool) -> Exception:
    """Return the failure for an error of httptools."""
    if error.__context__ is not None:
        # Raised by a callback of this module's caller.
        return error.__context__ if isinstance(error.__context__, Exception) else error
    reason = str(error.args[0]) if error.args else "it cannot be read"
    if reason in _VERSIONS:
        return unsupported_version()
    subject = "The framing of the body" if in_body else "The request"
    return Malformed(f"{subject} is not HTTP/1.1: {reason}.")


def unsupported_version() -> RosterError:
    """Return the failure for another version of HTTP."""
    return UnsupportedVersion("HTTP/1.0 and HTTP/1.1 are served here.")
