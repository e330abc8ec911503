"""ETags made of versions, and what If-Match and If-None-Match say about them (RFC 9110, 13)."""

import re
from typing import Any
from zlib import crc32

from service.errors import Malformed, Stale
from service.http.answers import header

_TAG = re.compile(r'\s*(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e]*)"\s*(?:,|$)')


def etag(version: int, body: bytes | None = None) -> str:
    """Return the tag of a version; `body` joins in where the document shows more than its own row."""
    return f'"{version}"' if body is None else f'"{version}.{crc32(body):08x}"'


class Conditions:
    """What the caller wants to be true before anything is done."""

    __slots__ = ("_if_match",)

    def __init__(self, scope: Any) -> None:
        self._if_match = header(scope, b"if-match")

    def match(self, version: int) -> None:
        """Return if the caller's copy is the newest, or if the caller did not say which copy it has.

        Raises:
            Stale: the row has another version by now.
            Malformed: If-Match holds something that is no entity tag.
        """
        if self._if_match is None or self._if_match.strip() == "*":
            return
        # If-Match compares strongly: a weak tag matches nothing.
        versions = {opaque.partition(".")[0] for weak, opaque in _tags(self._if_match, "If-Match") if not weak}
        if str(version) not in versions:
            raise Stale("It was changed since; read it again.")

    def match_absent(self) -> None:
        """Return if the caller does not expect that something is there already.

        Raises:
            Stale: If-Match was sent, and there is nothing that it could match.
        """
        if self._if_match is not None:
            raise Stale("There is nothing here that If-Match could match.")


def is_known(scope: Any, tag: str) -> bool:
    """Tell whether the caller already has what this tag stands for."""
    wanted = header(scope, b"if-none-match")
    if wanted is None:
        return False
    if wanted.strip() == "*":
        return True
    return tag.strip('"') in {opaque for _, opaque in _tags(wanted, "If-None-Match")}


def _tags(value: str, name: str) -> list[tuple[bool, str]]:
    tags = []
    at = 0
    while at < len(value):
        found = _TAG.match(value, at)
        if found is None:
            raise Malformed(f'{name} holds {value!r}; entity tags are written as "1", W/"1" or *.')
        tags.append((bool(found["weak"]), found["opaque"]))
        at = found.end()
    return tags
