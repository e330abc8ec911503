"""Employees over HTTP."""

from litestar import Router
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.db.rows import delete_many, get_for_update, insert_one, read_for_update, update_one
from service.employees import queries, schemas, transfer
from service.errors import NotFound
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.rendering import Shown
from service.http.unit import reads, writes
from service.http.wire import sent
from service.models import DepartmentEmployee, Employee


@reads("/", permission="directory.read", summary="List employees", result=schemas.EmployeePage)
async def list_employees(reader: Reader, query: schemas.EmployeeParameters) -> Page[schemas.Employee]:
    return await queries.EMPLOYEES.page(reader, query)


@writes("POST", "/", permission="directory.write", summary="Create an employee", status=201, idempotent=True)
async def create_employee(session: AsyncSession, body: schemas.EmployeeCreate) -> schemas.Employee:
    return await insert_one(session, Employee, sent(body), schemas.Employee)


@reads("/{employee_id}", permission="directory.read", summary="Read an employee", result=schemas.EmployeeShown)
async def get_employee(reader: Reader, employee_id: int, query: schemas.Include) -> schemas.EmployeeShown | Shown:
    if query.include is UNSET:
        if employee := await reader.first(queries.EMPLOYEE, id=employee_id):
            return employee
    elif employee := await queries.employee_with_departments(reader, employee_id):
        return Shown(employee)
    raise NotFound(f"There is no employee {employee_id}.")


@writes("PATCH", "/{employee_id}", permission="directory.write", summary="Change an employee")
async def update_employee(
    session: AsyncSession, employee_id: int, conditions: Conditions, body: schemas.EmployeeUpdate
) -> schemas.Employee:
    employee = await read_for_update(session, Employee, employee_id, schemas.Employee)
    conditions.match(employee.version)
    return await update_one(session, Employee, employee, sent(body))


@reads(
    "/{employee_id}/departments",
    permission="directory.read",
    summary="List an employee's departments",
    result=schemas.EmployeeDepartmentPage,
)
async def list_employee_departments(
    reader: Reader, employee_id: int, query: schemas.EmployeeDepartmentParameters
) -> Page[schemas.EmployeeDepartment]:
    page = await queries.DEPARTMENTS.page(reader, query, fixed={"employee_id": employee_id})
    if not page.items and not await reader.first(queries.EMPLOYEE, id=employee_id):
        raise NotFound(f"There is no employee {employee_id}.")
    return page


@writes("DELETE", "/{employee_id}", permission="directory.write", summary="Delete an employee", status=204)
async def delete_employee(session: AsyncSession, employee_id: int, conditions: Conditions) -> None:
    employee = await get_for_update(session, Employee, employee_id, to_delete=True)
    conditions.match(employee.version)
    await delete_many(session, DepartmentEmployee, DepartmentEmployee.employee_id == employee_id)
    await session.delete(employee)


router = Router(
    "/v1/employees",
    route_handlers=[
        list_employees,
        create_employee,
        get_employee,
        update_employee,
        delete_employee,
        list_employee_departments,
        importing(transfer.IMPORT, permission="directory.write"),
        exporting(transfer.EXPORT, permission="directory.read"),
    ],
)
