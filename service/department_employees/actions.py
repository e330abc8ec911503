"""Linking and unlinking, the same from both ends and from a file."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.audit import record_created
from service.db.rows import view
from service.db.upserts import insert_into
from service.department_employees import schemas
from service.errors import Fault, Invalid, NotFound
from service.http.etags import Conditions
from service.http.placed import Placed
from service.http.wire import WRONG, sent
from service.models import Department, DepartmentEmployee, Employee


async def place(
    session: AsyncSession,
    department_id: int,
    employee_id: int,
    conditions: Conditions,
    body: schemas.DepartmentEmployeePut,
) -> Placed:
    """Make the link what the body says, and tell whether it is new.

    Raises:
        NotFound: there is no such department or employee.
        Invalid: the time ends before it begins.
        Stale: the link has another version by now.
    """
    if faults := misdated(sent(body)):
        raise Invalid(WRONG, *faults)
    created = False
    while (link := await _locked(session, department_id, employee_id)) is None:
        conditions.match_absent()
        await _lock_ends(session, department_id, employee_id)
        created = await _insert(session, department_id=department_id, employee_id=employee_id, **sent(body))
    if not created:
        _match(conditions, link)
        link.from_date, link.to_date = body.from_date, body.to_date
        await session.flush()
    return Placed(view(schemas.DepartmentEmployee, link), created=created)


def misdated(link: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the time of a link: it may not end before it begins."""
    begins, ends = link.get("from_date"), link.get("to_date")
    if begins and ends and ends < begins:
        return [Fault(detail="to_date is before from_date.", pointer="/to_date")]
    return []


async def remove(session: AsyncSession, department_id: int, employee_id: int, conditions: Conditions) -> None:
    """Remove the link.

    Raises:
        NotFound: the employee is not in the department.
        Stale: the link has another version by now.
    """
    link = await _locked(session, department_id, employee_id)
    if link is None:
        raise missing(department_id, employee_id)
    _match(conditions, link)
    await session.delete(link)


def missing(department_id: int, employee_id: int) -> NotFound:
    return NotFound(f"Employee {employee_id} is not in department {department_id}.")


def _match(conditions: Conditions, link: DepartmentEmployee) -> None:
    # A link that was removed and put back begins again at version 1: only the whole of it tells the two apart.
    conditions.match(link.version, msgspec.json.encode(view(schemas.DepartmentEmployee, link)))


async def _insert(session: AsyncSession, **values: Any) -> bool:
    """Store a new link, unless somebody else was quicker, which is no conflict: both wanted it there."""
    table = DepartmentEmployee.__table__
    insert = insert_into(table, session.get_bind().dialect).values(values)  # type: ignore[arg-type]
    if await session.scalar(insert.on_conflict_do_nothing().returning(table.c.version)) is None:
        return False
    record_created(session, DepartmentEmployee, values)
    return True


async def _locked(session: AsyncSession, department_id: int, employee_id: int) -> DepartmentEmployee | None:
    return await session.get(DepartmentEmployee, (department_id, employee_id), with_for_update=True)


async def _lock_ends(session: AsyncSession, department_id: int, employee_id: int) -> None:
    """Hold both ends, as the foreign keys of the new row would: neither can go before the unit ends."""
    for model, id in ((Department, department_id), (Employee, employee_id)):
        held = select(model.id).where(model.id == id).with_for_update(read=True, key_share=True)
        if await session.scalar(held) is None:
            raise NotFound(f"There is no {model.__name__.lower()} {id}.")
