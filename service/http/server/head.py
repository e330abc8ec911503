"""The status line and header fields of a response as bytes, when nothing about their framing has to be decided."""

from collections.abc import Sequence
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

# Fields that leave the framing to Content-Length; others are left to uvicorn, which checks their names.
_PLAIN_FIELDS = frozenset(
    {
        b"cache-control",
        b"content-security-policy",
        b"content-length",
        b"content-type",
        b"date",
        b"etag",
        b"link",
        b"location",
        b"x-content-type-options",
        b"x-request-id",
    }
)
# Roster's responses have some thirty different sets of fields.
_MOST_FRAMES = 500
_BODILESS = frozenset({204, 304})
# RFC 9110, 5.5: what a field value may hold.
_IN_VALUES = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])


def written(status: int, fields: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, int] | None:
    """Return the head and its Content-Length; `None` for a head that uvicorn has to write.

    One look at the whole head finds a line break in a value, where uvicorn looks at each name and value.
    """
    if not fields:
        return None
    names, values = zip(*fields, strict=True)
    frame = _frame(status, names)
    if frame is None:
        return None
    text, breaks, at = frame
    if at < 0:
        length = 0
    elif values[at].isdigit():
        length = int(values[at])
    else:
        return None
    head = text % values
    return None if head.translate(None, _IN_VALUES) != breaks else (head, length)


@lru_cache(_MOST_FRAMES)
def _frame(status: int, names: tuple[bytes, ...]) -> tuple[bytes, bytes, int] | None:
    """Return the head without its values, all its line breaks, and the place of Content-Length, -1 for none.

    `None` for a head that uvicorn has to write.
    """
    start = STATUS_LINE.get(status)
    lengths = names.count(b"content-length")
    # Without a body and Content-Length (RFC 9110, 8.6).
    if (
        start is None
        or lengths > 1
        or (lengths == 0 and status not in _BODILESS)
        or not _PLAIN_FIELDS.issuperset(names)
    ):
        return None
    text = start + b"".join(b"%b: %%b\r\n" % name for name in names) + b"\r\n"
    return text, b"\r\n" * (len(names) + 2), names.index(b"content-length") if lengths else -1
