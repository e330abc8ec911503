"""What an operator does with users, and what else changes when a user goes."""

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record_updated
from service.db.folding import fold
from service.db.reader import Reader
from service.db.rows import insert_one, read_for_update, update_one
from service.errors import NotFound
from service.http.auth.admins import keep_an_admin
from service.http.wire import sent
from service.models import Employee, Record, User
from service.users import queries, schemas

_LARGEST_PAGE = 200


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
    return await insert_one(session, User(**sent(body)), schemas.User)


async def read(session: AsyncSession, user_id: int) -> schemas.User:
    """Return the user as the transaction has it; raises NotFound."""
    return await read_for_update(session, User, user_id, schemas.User)


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


async def let_go(session: AsyncSession, user_id: int) -> None:
    """Take the user from their recordings and from the employee they are, each of which counts that as a change.

    The foreign keys alone would set NULL too, and leave the old version, and so the old ETag, on what changed.
    """
    for model, column in ((Record, Record.owner_id), (Employee, Employee.user_id)):
        changed = update(model).where(column == user_id).values({column: None, model.version: model.version + 1})
        stored = await session.scalars(changed.returning(model.id), execution_options={"synchronize_session": False})
        for id in stored:
            record_updated(session, model, {"id": id}, {column.key: (user_id, None)})
