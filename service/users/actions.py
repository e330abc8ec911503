"""What an import of users stores, and what else changes when a user goes."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record_updated
from service.models import Employee, Record


async def let_go(session: AsyncSession, user_id: int) -> None:
    """Take the user from their recordings and from the employee they are, each of which counts that as a change.

    The foreign keys alone would set NULL too, and leave the old version, and so the old ETag, on what changed.
    """
    for model, column in ((Record, Record.owner_id), (Employee, Employee.user_id)):
        changed = update(model).where(column == user_id).values({column: None, model.version: model.version + 1})
        stored = await session.scalars(changed.returning(model.id), execution_options={"synchronize_session": False})
        for id in stored:
            record_updated(session, model, {"id": id}, {column.key: (user_id, None)})
