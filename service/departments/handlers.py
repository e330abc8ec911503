"""Departments over HTTP."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.db.rows import delete_many, get_for_update, insert_one, read_for_update, update_one
from service.departments import queries, schemas, transfer
from service.errors import NotFound
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.unit import reads, writes
from service.http.wire import sent
from service.models import Department, DepartmentEmployee


@reads("/", permission="directory.read", summary="List departments", result=schemas.DepartmentPage)
async def list_departments(reader: Reader, query: schemas.DepartmentParameters) -> Page[schemas.Department]:
    return await queries.DEPARTMENTS.page(reader, query)


@writes("POST", "/", permission="directory.write", summary="Create a department", status=201, idempotent=True)
async def create_department(session: AsyncSession, body: schemas.DepartmentCreate) -> schemas.Department:
    return await insert_one(session, Department, sent(body), schemas.Department)


@reads("/{department_id}", permission="directory.read", summary="Read a department")
async def get_department(reader: Reader, department_id: int) -> schemas.Department:
    if department := await reader.first(queries.DEPARTMENT, id=department_id):
        return department
    raise NotFound(f"There is no department {department_id}.")


@writes("PATCH", "/{department_id}", permission="directory.write", summary="Change a department")
async def update_department(
    session: AsyncSession, department_id: int, conditions: Conditions, body: schemas.DepartmentUpdate
) -> schemas.Department:
    department = await read_for_update(session, Department, department_id, schemas.Department)
    conditions.match(department.version)
    return await update_one(session, Department, department, sent(body))


@reads(
    "/{department_id}/employees",
    permission="directory.read",
    summary="List a department's employees",
    result=schemas.DepartmentMemberPage,
)
async def list_department_employees(
    reader: Reader, department_id: int, query: schemas.DepartmentMemberParameters
) -> Page[schemas.DepartmentMember]:
    page = await queries.MEMBERS.page(reader, query, fixed={"department_id": department_id})
    if not page.items and not await reader.first(queries.DEPARTMENT, id=department_id):
        raise NotFound(f"There is no department {department_id}.")
    return page


@writes("DELETE", "/{department_id}", permission="directory.write", summary="Delete a department", status=204)
async def delete_department(session: AsyncSession, department_id: int, conditions: Conditions) -> None:
    department = await get_for_update(session, Department, department_id, to_delete=True)
    conditions.match(department.version)
    await delete_many(session, DepartmentEmployee, DepartmentEmployee.department_id == department_id)
    await session.delete(department)


router = Router(
    "/v1/departments",
    route_handlers=[
        list_departments,
        create_department,
        get_department,
        update_department,
        delete_department,
        list_department_employees,
        importing(transfer.IMPORT, permission="directory.write"),
        exporting(transfer.EXPORT, permission="directory.read"),
    ],
)
