"""The cursors of the floor and the usual application: opaque, and no more expensive than the service's."""

import base64

import msgspec


def write(key: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([key])).rstrip(b"=").decode()


def read(cursor: bytes) -> int:
    padded = cursor + b"=" * (-len(cursor) % 4)
    return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[int])[0]
