"""Links between departments and employees over HTTP, from both ends."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import Reader
from service.department_employees import actions, queries, schemas, transfer
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.placed import Placed
from service.http.rendering import Shown
from service.http.unit import reads, writes

_FROM_DEPARTMENT = "/v1/departments/{department_id}/employees/{employee_id}"
_FROM_EMPLOYEE = "/v1/employees/{employee_id}/departments/{department_id}"


@reads(
    _FROM_DEPARTMENT,
    permission="directory.read",
    summary="Read the link of a department to an employee",
    result=schemas.DepartmentEmployee,
)
async def get_department_employee(reader: Reader, department_id: int, employee_id: int) -> Shown:
    if link := await reader.first(queries.LINK, department_id=department_id, employee_id=employee_id):
        return Shown(link)
    raise actions.missing(department_id, employee_id)


@writes(
    "PUT",
    _FROM_DEPARTMENT,
    permission="directory.write",
    summary="Create or replace the link of a department to an employee",
    result=schemas.DepartmentEmployee,
)
async def put_department_employee(
    session: AsyncSession,
    department_id: int,
    employee_id: int,
    conditions: Conditions,
    body: schemas.DepartmentEmployeePut,
) -> Placed:
    return await actions.place(session, department_id, employee_id, conditions, body)


@writes(
    "DELETE",
    _FROM_DEPARTMENT,
    permission="directory.write",
    summary="Delete the link of a department to an employee",
    status=204,
)
async def delete_department_employee(
    session: AsyncSession, department_id: int, employee_id: int, conditions: Conditions
) -> None:
    await actions.remove(session, department_id, employee_id, conditions)


@reads(
    _FROM_EMPLOYEE,
    permission="directory.read",
    summary="Read the link of an employee to a department",
    result=schemas.DepartmentEmployee,
)
async def get_employee_department(reader: Reader, employee_id: int, department_id: int) -> Shown:
    if link := await reader.first(queries.LINK, department_id=department_id, employee_id=employee_id):
        return Shown(link)
    raise actions.missing(department_id, employee_id)


@writes(
    "PUT",
    _FROM_EMPLOYEE,
    permission="directory.write",
    summary="Create or replace the link of an employee to a department",
    result=schemas.DepartmentEmployee,
)
async def put_employee_department(
    session: AsyncSession,
    employee_id: int,
    department_id: int,
    conditions: Conditions,
    body: schemas.DepartmentEmployeePut,
) -> Placed:
    return await actions.place(session, department_id, employee_id, conditions, body)


@writes(
    "DELETE",
    _FROM_EMPLOYEE,
    permission="directory.write",
    summary="Delete the link of an employee to a department",
    status=204,
)
async def delete_employee_department(
    session: AsyncSession, employee_id: int, department_id: int, conditions: Conditions
) -> None:
    await actions.remove(session, department_id, employee_id, conditions)


_files = Router(
    "/v1/department-employees",
    route_handlers=[
        importing(transfer.IMPORT, permission="directory.write"),
        exporting(transfer.EXPORT, permission="directory.read"),
    ],
)

router = Router(
    "/",
    route_handlers=[
        _files,
        get_department_employee,
        put_department_employee,
        delete_department_employee,
        get_employee_department,
        put_employee_department,
        delete_employee_department,
    ],
)
