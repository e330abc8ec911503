"""What a client sends to PostgreSQL, read from the bytes of the connection."""

from collections.abc import Iterator
from typing import NamedTuple

# https://www.postgresql.org/docs/current/protocol-message-formats.html
_QUERY, _BIND, _EXECUTE, _SYNC = b"Q", b"B", b"E", b"S"


class Sent(NamedTuple):
    """Statements, round trips that the client waits for, and bytes without the names of prepared statements."""

    statements: int
    round_trips: int
    bytes: int


def read(said: bytes) -> Sent:
    """Return what was sent on connections that are open and have prepared their statements."""
    messages = [*_messages(said)]
    kinds = [kind for kind, _ in messages]
    # asyncpg numbers its statements through all connections of the process.
    names = sum(len(body.split(b"\0", 2)[1]) for kind, body in messages if kind == _BIND)
    return Sent(
        statements=kinds.count(_QUERY) + kinds.count(_EXECUTE),
        round_trips=kinds.count(_QUERY) + kinds.count(_SYNC),
        bytes=len(said) - names,
    )


def _messages(said: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(said):
        length = int.from_bytes(said[at + 1 : at + 5], "big")
        yield said[at : at + 1], said[at + 5 : at + 1 + length]
        at += 1 + length
