"""ETags made of versions, and what If-Match and If-None-Match say about them (RFC 9110, 13)."""

import re
from typing import Any
from zlib import crc32

from service.errors import Malformed, Stale
from service.http.answers import header

_ONE = r'(?:W/)?"[\x21\x23-\x7e]*"'
# How If-Match and If-None-Match are written.
ENTITY_TAGS = rf"^(?:\*|{_ONE}(?:[ \t]*,[ \t]*{_ONE})*)$"

_WRITTEN = re.compile(ENTITY_TAGS)
_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[^"]*)"')
# What `*` comes to: a list of no tags cannot be written.
_ANYTHING: list[tuple[bool, str]] = []


def etag(version: int, body: bytes | None = None) -> str:
    """Return the tag of a version; `body` joins in where the document shows more than its own row."""
    return f'"{version}"' if body is None else f'"{version}.{crc32(body):08x}"'


class Conditions:
    """What the caller wants to be true before anything is done."""

    __slots__ = ("_if_match",)

    def __init__(self, scope: Any) -> None:
        """Read what the caller said.

        Raises:
            Malformed: If-Match holds something that is no entity tag.
        """
        written = header(scope, b"if-match")
        self._if_match = None if written is None else _tags(written, "If-Match")

    def match(self, version: int) -> None:
        """Return if the caller's copy is the newest, or if the caller did not say which copy it has.

        Raises:
            Stale: the row has another version by now.
        """
        if self._if_match is None or self._if_match == _ANYTHING:
            return
        # If-Match compares strongly: a weak tag matches nothing.
        versions = {opaque.partition(".")[0] for weak, opaque in self._if_match if not weak}
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
    written = header(scope, b"if-none-match")
    if written is None:
        return False
    wanted = _tags(written, "If-None-Match")
    return wanted == _ANYTHING or tag.strip('"') in {opaque for _, opaque in wanted}


def _tags(written: str, name: str) -> list[tuple[bool, str]]:
    written = written.strip()
    if not _WRITTEN.fullmatch(written):
        raise Malformed(f'{name} holds {written!r}; entity tags are written as "1", W/"1" or *.')
    return [(bool(found["weak"]), found["opaque"]) for found in _TAG.finditer(written)]
