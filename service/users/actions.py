"""What an operator does with users, and what else changes when a user goes."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record_deleted, record_updated, subject
from service.db.folding import fold
from service.db.reader import Reader
from service.db.rows import insert_one, read_for_update, update_one
from service.errors import NotFound
from service.http.auth.admins import keep_an_admin
from service.http.idempotency import scrub_answers
from service.http.wire import sent
from service.models import Base, Credential, Employee, Event, IdempotencyKey, Login, Preferences, Record, Token, User
from service.users import queries, schemas

_LARGEST_PAGE = 200
_IDS_OF_A_STATEMENT = 1000
_MOST_EARLIER_EMAILS = 100
_UNSYNCHRONIZED = {"synchronize_session": False}


async def list_all(reader: Reader, asked: schemas.UserParameters, most: int) -> list[schemas.User]:
    """Return users, from as many pages as it takes."""
    found: list[schemas.User] = []
    cursor: str | UnsetType | None = UNSET
    while cursor is not None and len(found) < most:
        size = min(most - len(found), _LARGEST_PAGE)
        page = await queries.USERS.page(reader, msgspec.structs.replace(asked, limit=size, cursor=cursor))
        found += page.items
        cursor = page.next_cursor
    return found


async def create(session: AsyncSession, body: schemas.UserCreate) -> schemas.User:
    """Return the new user."""
    return await insert_one(session, User, sent(body), schemas.User)


async def read(session: AsyncSession, user_id: int) -> schemas.User:
    """Return the user as the transaction has it; raises NotFound."""
    return await read_for_update(session, User, user_id, schemas.User)


def changes_account(user: schemas.User, body: schemas.UserUpdate) -> bool:
    """Return whether the update changes by which email the user logs in, or whether at all."""
    return any(value != getattr(user, name) for name, value in sent(body).items() if name in schemas.ACCOUNT)


async def deactivate(session: AsyncSession, email: str) -> schemas.User:
    """Make the user with this email inactive and return them: their tokens are not valid any more.

    Raises:
        NotFound: no user has the email.
        Conflict: the user is the last active administrator.
    """
    user_id = await session.scalar(select(User.id).where(User.email_key == fold(email)))
    if user_id is None:
        raise NotFound(f"No user has the email {email}.")
    user = await read_for_update(session, User, user_id, schemas.User)
    await keep_an_admin(session, [user_id])
    return await update_one(session, User, user, {"active": False})


async def erase(
    session: AsyncSession, user_id: int, *, records: schemas.Choice = "keep", employee: schemas.Choice = "keep"
) -> None:
    """Delete the user, and what is held about them: preferences, roles, password, tokens, and the traces elsewhere.

    The audit trail, the login history and the stored responses keep their rows, without what is personal in them.
    The user's recordings, and the employee they are, stay without them, or go too.
    """
    email_key = await session.scalar(select(User.email_key).where(User.id == user_id))
    earlier = await _earlier_email_keys(session, user_id)
    gone: dict[type[Base], list[int]] = {
        Token: [*await session.scalars(select(Token.id).where(Token.user_id == user_id))],
        Preferences: [user_id],
        Credential: [user_id],
    }
    created = [f"/v1/users/{user_id}"]
    of_user: list[tuple[Any, Any, schemas.Choice]] = [
        (Record, Record.owner_id, records),
        (Employee, Employee.user_id, employee),
    ]
    for model, column, choice in of_user:
        if choice == "keep":
            await _let_go(session, model, column, user_id)
            continue
        created += await _addresses_of_new(session, model, column, user_id)
        gone[model] = await _delete(session, model, column, user_id)
    gone[User] = await _delete(session, User, User.id, user_id)
    for model, ids in gone.items():
        await _scrub_events(session, subject(model).noun, ids)
    await _scrub_logins(
        session,
        Login.user_id == user_id,
        Login.email_key == email_key,
        # Another user may have taken an earlier email since; their own logins stay.
        Login.email_key.in_(earlier) & Login.user_id.is_(None),
    )
    await scrub_answers(session, created)


async def _addresses_of_new(session: AsyncSession, model: Any, column: Any, user_id: int) -> list[str]:
    """Return the addresses of rows that are young enough for a stored response to have created them."""
    oldest = select(func.min(IdempotencyKey.created_at)).scalar_subquery()
    ids = await session.scalars(select(model.id).where(column == user_id, model.created_at >= oldest))
    return [f"/v1/{subject(model).noun}/{id}" for id in ids]


async def _delete(session: AsyncSession, model: Any, column: Any, user_id: int) -> list[int]:
    """Delete rows and return their ids; no event shows what was in them."""
    deleted = delete(model).where(column == user_id).returning(model.id)
    ids = [*await session.scalars(deleted, execution_options=_UNSYNCHRONIZED)]
    for id in ids:
        record_deleted(session, model, {"id": id})
    return ids


async def _let_go(session: AsyncSession, model: Any, column: Any, user_id: int) -> None:
    """Take the user from rows, each of which counts that as a change.

    The foreign keys alone would set NULL too, and leave the old version, and so the old ETag, on what changed.
    """
    changed = update(model).where(column == user_id).values({column: None, model.version: model.version + 1})
    stored = await session.scalars(changed.returning(model.id), execution_options=_UNSYNCHRONIZED)
    for id in stored:
        record_updated(session, model, {"id": id}, {column.key: (user_id, None)})


async def _scrub_events(session: AsyncSession, noun: str, ids: Sequence[int]) -> None:
    for at in range(0, len(ids), _IDS_OF_A_STATEMENT):
        some = ids[at : at + _IDS_OF_A_STATEMENT]
        scrubbed = update(Event).where(Event.resource == noun, Event.resource_id.in_(some)).values(changes="{}")
        await session.execute(scrubbed, execution_options=_UNSYNCHRONIZED)


async def _earlier_email_keys(session: AsyncSession, user_id: int) -> list[str]:
    """Return the emails that the audit trail knows of the user, as they are compared, the newest 100."""
    changed = select(Event.changes).where(
        Event.resource == subject(User).noun, Event.resource_id == user_id, Event.changes.contains('"email":')
    )
    texts = await session.scalars(changed.order_by(Event.id.desc()).limit(_MOST_EARLIER_EMAILS))
    pairs = (msgspec.json.decode(text).get("email") or () for text in texts)
    return sorted({fold(email) for pair in pairs for email in pair if email})


async def _scrub_logins(session: AsyncSession, *theirs: ColumnElement[bool]) -> None:
    # The limits count by network and email: no client has the network that is left.
    values = {"address": "unknown", "network": "", "agent": None, "email": None, "email_key": None}
    for each in theirs:
        await session.execute(update(Login).where(each).values(values), execution_options=_UNSYNCHRONIZED)
