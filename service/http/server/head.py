"""The status line and header fields of a response as bytes, when nothing about their framing has to be decided."""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

# Fields that say nothing about the framing; others are left to uvicorn, which checks their names.
_PLAIN_FIELDS = frozenset(
    {
        b"cache-control",
        b"content-security-policy",
        b"content-type",
        b"date",
        b"etag",
        b"link",
        b"location",
        b"x-content-type-options",
        b"x-request-id",
    }
)
# RFC 9110, 5.5: what a field value may hold.
_IN_VALUES = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])


def written(status: int, fields: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, int] | None:
    """Return the head and its Content-Length; `None` for a head that uvicorn has to write.

    One look at the whole head finds a line break in a value, where uvicorn looks at each name and value.
    """
    start = STATUS_LINE.get(status)
    if start is None:
        return None
    length = -1
    parts = [start]
    for name, value in fields:
        if name not in _PLAIN_FIELDS:
            if name != b"content-length" or length >= 0 or not value.isdigit():
                return None
            length = int(value)
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    head = b"".join(parts)
    if length < 0 or head.translate(None, _IN_VALUES) != b"\r\n" * (len(fields) + 2):
        return None
    return head, length
