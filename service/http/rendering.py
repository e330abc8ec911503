"""The response of what a handler returns: JSON with an ETag, a page, 304, or no content."""

from typing import Any

import msgspec

from service.db.listing import Page
from service.http import pages
from service.http.answers import Answer
from service.http.etags import etag, is_known
from service.http.placed import Placed

_encode = msgspec.json.Encoder().encode
_NOTHING = Answer(status=204)


class Shown:
    """A document with an ETag of its whole content, since it holds more than one row."""

    __slots__ = ("document",)

    def __init__(self, document: msgspec.Struct) -> None:
        self.document = document


class Text:
    """A document that is JSON text already, and its version."""

    __slots__ = ("text", "version")

    def __init__(self, text: str, version: int) -> None:
        self.text = text
        self.version = version


class Secret:
    """A new document that holds a secret, and its address: no cache may keep it, and no answer shows it again."""

    __slots__ = ("address", "document")

    def __init__(self, document: msgspec.Struct, address: str) -> None:
        self.document = document
        self.address = address


def render(result: Any, status: int, scope: Any) -> Answer:
    """Return the response of what a handler returned; raises as `is_known`."""
    if result is None or isinstance(result, Answer):
        return result or _NOTHING
    if isinstance(result, Page):
        # A page has no ETag: If-Match holds only with `*`, and 304 never occurs.
        is_known(scope, None)
        return pages.render(result, scope)
    if isinstance(result, Text):
        return _document(result.text.encode(), etag(result.version), status, scope)
    if isinstance(result, (Shown, Placed)):
        shown: Any = result.document
        body = _encode(shown)
        if isinstance(result, Placed):
            status = 201 if result.created else 200
        return _document(body, etag(shown.version, body), status, scope)
    document: Any = result.document if isinstance(result, Secret) else result
    answer = _document(_encode(document), etag(document.version), status, scope)
    if isinstance(result, Secret):
        answer.headers += [(b"location", result.address.encode()), (b"cache-control", b"no-store")]
    elif status == 201:
        answer.headers.append((b"location", f"{scope['path']}/{result.id}".encode()))
    return answer


def _document(body: bytes, tag: str, status: int, scope: Any) -> Answer:
    if status == 200 and scope["method"] == "GET" and is_known(scope, tag):
        return Answer(status=304, headers=((b"etag", tag.encode()),))
    return Answer(body, status=status, headers=((b"etag", tag.encode()),))
