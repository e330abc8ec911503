"""ETags from row versions, and the conditions If-Match and If-None-Match (RFC 9110, 13)."""

import re
from typing import Any
from zlib import crc32

from service.errors import Malformed, Stale
from service.http.answers import header

_ONE = r'(?:W/)?"[\x21\x23-\x7e]*"'
# The syntax of If-Match and If-None-Match; list members may be empty (RFC 9110, 5.6.1.2).
ENTITY_TAGS = rf"^(?:\*|[\t ,]*{_ONE}(?:[\t ]*,[\t ,]*{_ONE})*(?:[\t ]*,[\t ,]*)?)$"

_CONDITIONS = frozenset({b"if-match", b"if-none-match"})

_WRITTEN = re.compile(ENTITY_TAGS)
_TAG = re.compile(_ONE)
_MORE_THAN_ITS_ROW = re.compile(r'\.[0-9a-f]{8}"$')


def etag(version: int, body: bytes | None = None) -> str:
    """Return the tag of a version; with `body`, a hash of the body too, where one version has several documents."""
    return f'"{version}"' if body is None else f'"{version}.{crc32(body):08x}"'


class Conditions:
    """The preconditions of a request."""

    __slots__ = ("_if_match", "_if_none_match")

    def __init__(self, scope: Any) -> None:
        """Parse the headers of a request.

        Raises:
            Malformed: If-Match or If-None-Match holds something other than entity tags.
        """
        # If-Match uses strong comparison: W/"1" does not match "1".
        self._if_match = _tags(scope, "If-Match")
        self._if_none_match = _weakly(_tags(scope, "If-None-Match"))

    def match(self, version: int, body: bytes | None = None) -> None:
        """Return if the row's ETag meets the preconditions, or if there are none.

        Without `body`, the version alone is compared.

        Raises:
            Stale: the row has another version than If-Match, or one that If-None-Match excludes.
        """
        tag = etag(version, body)
        if self._if_match is not None and not _hold(self._if_match, tag):
            raise Stale("The resource was changed since this version; read it again.")
        if self._if_none_match is not None and _hold(self._if_none_match, tag):
            raise Stale("The resource exists, and If-None-Match requires that it does not.")

    def match_absent(self) -> None:
        """Return if the preconditions permit a resource that does not exist.

        Raises:
            Stale: If-Match was sent, which nothing can match.
        """
        if self._if_match is not None:
            raise Stale("The resource does not exist, so If-Match cannot match.")


def is_known(scope: Any, tag: str | None) -> bool:
    """Return whether GET or HEAD is answered with 304: If-None-Match has the document's tag.

    Raises:
        Stale: If-Match was sent and does not match (RFC 9110, 13.1.1).
        Malformed: If-Match or If-None-Match holds something other than entity tags.
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


# Of a caller who wants it done whatever is there.
UNCONDITIONAL = Conditions({"headers": []})
