"""Collects what is held about a user, page by page."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.archives import queries
from service.db.listing import Listing
from service.db.reader import Reader
from service.employees import queries as employees
from service.errors import NotFound
from service.events import queries as events
from service.logins import queries as logins
from service.preferences import queries as preferences
from service.records import queries as records
from service.tokens import queries as tokens
from service.users import queries as users

_PAGE_ROWS = 1000

_encode = msgspec.json.Encoder().encode


class _Pages(msgspec.Struct, frozen=True, kw_only=True):
    limit: int
    sort: str = "id"
    cursor: str | UnsetType = UNSET


async def pieces(reader: Reader, user_id: int) -> AsyncIterator[bytes]:
    """Yield the JSON text of the archive; a short statement reads each piece, so no connection is held meanwhile.

    Raises:
        NotFound: there is no such user.
    """
    user = await reader.first(users.USER, id=user_id)
    held = await reader.first(preferences.PREFERENCES, user_id=user_id)
    if user is None or held is None:
        raise NotFound(f"There is no user {user_id}.")
    employee_id = await reader.first(queries.EMPLOYEE_ID, user_id=user_id)
    employee = None
    if employee_id is not None:
        employee = await employees.employee_with_departments(reader, employee_id)
    parts = {
        "user": _encode(user),
        "preferences": held.text.encode(),
        "password_changed_at": _encode(await reader.first(queries.PASSWORD_CHANGED_AT, user_id=user_id)),
        "employee": _encode(employee),
    }
    yield b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in parts.items())
    about = {"resource": "users", "resource_id": user_id}
    lists: list[tuple[bytes, Listing[Any], str, Mapping[str, Any]]] = [
        (b"tokens", tokens.TOKENS, "id", {"user_id": user_id}),
        (b"records", records.RECORDS, "id", {"owner_id": user_id}),
        (b"logins", logins.LOGINS, "time", {"user_id": user_id}),
        (b"events", events.EVENTS, "id", about),
        (b"acts", events.EVENTS, "id", {"actor_id": user_id}),
    ]
    for name, listing, sort, fixed in lists:
        yield b',"%s":[' % name
        async for piece in _rows(reader, listing, _Pages(limit=_PAGE_ROWS, sort=sort), fixed):
            yield piece
        yield b"]"
    yield b"}"


async def _rows(reader: Reader, listing: Listing[Any], pages: _Pages, fixed: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Yield the rows of a listing, separated by commas."""
    separator = b""
    while True:
        page = await listing.page(reader, pages, fixed=fixed)
        if page.items:
            yield separator + _encode(page.items)[1:-1]
            separator = b","
        if page.next_cursor is None:
            return
        pages = msgspec.structs.replace(pages, cursor=page.next_cursor)
