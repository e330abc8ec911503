"""Changing the preferences of one user."""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import Reader
from service.errors import NotFound
from service.http import json_objects
from service.http.etags import Conditions
from service.http.json_objects import JsonObject
from service.http.rendering import Text
from service.models import Preferences, User
from service.preferences import queries


async def read(reader: Reader, user_id: int) -> Text:
    """Return the preferences; an empty object if none were ever set.

    Raises:
        NotFound: there is no such user.
    """
    if found := await reader.first(queries.PREFERENCES, user_id=user_id):
        return found
    raise _missing(user_id)


async def replace(session: AsyncSession, user_id: int, conditions: Conditions, document: JsonObject) -> Text:
    """Make the preferences what the document says; raises as `merge`."""
    return await _change(session, user_id, conditions, lambda _text: document)


async def merge(session: AsyncSession, user_id: int, conditions: Conditions, patch: JsonObject) -> Text:
    """Apply a merge patch (RFC 7396) to the preferences.

    Raises:
        NotFound: there is no such user.
        Stale: the preferences have another version by now.
        Invalid: the result is longer than preferences may be.
    """
    return await _change(
        session, user_id, conditions, lambda text: json_objects.merged(json_objects.read(text.encode()), patch)
    )


async def _change(
    session: AsyncSession, user_id: int, conditions: Conditions, change: Callable[[str], JsonObject]
) -> Text:
    # The first PUT has no row of preferences to lock, so the user's is locked; statements after it see what it guards.
    held = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    if await session.scalar(held) is None:
        raise _missing(user_id)
    stored = await session.get(Preferences, user_id)
    before = queries.shown(None, None) if stored is None else Text(stored.document, stored.version)
    conditions.match(before.version)
    text = json_objects.written(change(before.text))
    if stored is None:
        stored = Preferences(user_id=user_id, document=text)
        session.add(stored)
    stored.document = text
    await session.flush()
    return Text(stored.document, stored.version)


def _missing(user_id: int) -> NotFound:
    return NotFound(f"There is no user {user_id}.")
