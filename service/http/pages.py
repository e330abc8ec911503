"""Lists over HTTP: the parameters of every list, and a page with the Link to the next."""

import re
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from service.db.listing import Page
from service.db.words import LINE
from service.http.answers import Answer

Limit = Annotated[int, msgspec.Meta(ge=1, le=200, description="Maximum number of items.")]
Cursor = Annotated[
    str,
    # The length of a cursor with a key of FOLDED_LENGTH characters of four bytes.
    msgspec.Meta(
        min_length=1,
        max_length=3000,
        description="next_cursor of the previous page; sort and filters must be the same.",
    ),
]
Search = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=100,
        pattern=LINE,
        description="Text to find anywhere in names, titles and emails, case-insensitively.",
    ),
]

_CURSOR = re.compile(r"(?:^|&)cursor=[^&]*")
_NEEDS_NO_ENCODING = re.compile(r"[\w.~=&-]*", re.ASCII)

_encode = msgspec.json.Encoder().encode


class ListParameters(msgspec.Struct, kw_only=True, frozen=True):
    """The parameters of every list; a noun adds filters and `sort`."""

    limit: Limit = 50
    cursor: Cursor | msgspec.UnsetType = msgspec.UNSET


def render(page: Page[Any], scope: Any) -> Answer:
    """Return the response of a page, with a Link header to the next one."""
    document = {"items": page.items, "next_cursor": page.next_cursor}
    if page.next_cursor is None:
        return Answer(_encode(document))
    query = _with_cursor(scope["query_string"].decode("ascii"), page.next_cursor)
    link = f'<{scope["path"]}?{query}>; rel="next"'
    return Answer(_encode(document), headers=((b"link", link.encode()),))


def _with_cursor(query: str, cursor: str) -> str:
    """Return the query string with another cursor."""
    if _NEEDS_NO_ENCODING.fullmatch(query):
        rest, _, last = query.partition("&cursor=")
        if "&" in last or rest.startswith("cursor="):
            rest = _CURSOR.sub("", query)
        return f"{rest}&cursor={cursor}".lstrip("&")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    return urlencode(parameters | {"cursor": cursor})
