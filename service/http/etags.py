"""ETags made of versions, and what If-Match and If-None-Match say about them (RFC 9110, 13)."""

import re
from typing import Any
from zlib import crc32

from service.errors import Malformed, Stale
from service.http.answers import header

_ONE = r'(?:W/)?"[\x21\x23-\x7e]*"'
# How If-Match and If-None-Match are written; list members may be empty (RFC 9110, 5.6.1.2).
ENTITY_TAGS = rf"^(?:\*|[\t ,]*{_ONE}(?:[\t ]*,[\t ,]*{_ONE})*(?:[\t ]*,[\t ,]*)?)$"

_CONDITIONS = frozenset({b"if-match", b"if-none-match"})

_WRITTEN = re.compile(ENTITY_TAGS)
_TAG = re.compile(_ONE)
_MORE_THAN_ITS_ROW = re.compile(r'\.[0-9a-f]{8}"$')


def etag(version: int, body: bytes | None = None) -> str:
    """Return the tag of a version; `body` joins in where the version alone does not tell documents apart."""
    return f'"{version}"' if body is None else f'"{version}.{crc32(body):08x}"'


class Conditions:
    """What the caller wants to be true before anything is done."""

    __slots__ = ("_if_match", "_if_none_match")

    def __init__(self, scope: Any) -> None:
        """Read what the caller said.

        Raises:
            Malformed: If-Match or If-None-Match holds something that is no entity tag.
        """
        # If-Match compares strongly: W/"1" is not "1".
        self._if_match = _tags(scope, "If-Match")
        self._if_none_match = _weakly(_tags(scope, "If-None-Match"))

    def match(self, version: int, body: bytes | None = None) -> None:
        """Return if the row is the one that the caller knows, or if the caller did not say which one that is.

        Without a `body` the row's version decides, whatever else the caller's copy showed.

        Raises:
            Stale: the row has another version by now, or is one that If-None-Match excludes.
        """
        tag = etag(version, body)
        if self._if_match is not None and not _hold(self._if_match, tag):
            raise Stale("The resource was changed since this version; read it again.")
        if self._if_none_match is not None and _hold(self._if_none_match, tag):
            raise Stale("The resource exists, and If-None-Match requires that it does not.")

    def match_absent(self) -> None:
        """Return if the caller does not expect that something is there already.

        Raises:
            Stale: If-Match was sent, and there is nothing that it could match.
        """
        if self._if_match is not None:
            raise Stale("The resource does not exist, so If-Match cannot match.")


def is_known(scope: Any, tag: str | None) -> bool:
    """Tell whether the caller of GET or HEAD already has what it would be shown, which has this tag or none.

    Raises:
        Stale: If-Match was sent and names something else, so the caller does not want to see this (RFC 9110, 13.1.1).
        Malformed: If-Match or If-None-Match holds something that is no entity tag.
    """
    for name, _ in scope["headers"]:
        if name in _CONDITIONS:
            break
    else:
        return False
    wanted, known = _tags(scope, "If-Match"), _weakly(_tags(scope, "If-None-Match"))
    if wanted is not None and not _hold(wanted, tag):
        raise Stale("The resource has another version than If-Match names.")
    return known is not None and _hold(known, tag)


def _hold(tags: frozenset[str], tag: str | None) -> bool:
    if tag is None:
        return "*" in tags
    if "." not in tag:
        tags = frozenset(_MORE_THAN_ITS_ROW.sub('"', each) for each in tags)
    return "*" in tags or tag in tags


def _weakly(tags: frozenset[str] | None) -> frozenset[str] | None:
    return None if tags is None else frozenset(each.removeprefix("W/") for each in tags)


def _tags(scope: Any, name: str) -> frozenset[str] | None:
    written = header(scope, name.lower().encode())
    if written is None:
        return None
    written = written.strip(" \t")
    if not _WRITTEN.fullmatch(written):
        raise Malformed(f'{name} holds {written!r}; entity tags are written as "1", W/"1" or *.')
    return frozenset({"*"}) if written == "*" else frozenset(_TAG.findall(written))
