"""What is read of employees."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select

from service.db.listing import Filter, Listing, contains
from service.db.reader import Query, Reader
from service.db.rows import columns
from service.employees import schemas
from service.models import Department, DepartmentEmployee, Employee

_SELECT = columns(Employee, schemas.Employee)
_WIDTH = len(schemas.Employee.__struct_fields__)
_DEPARTMENT = (
    Department.id,
    Department.external_id,
    Department.name,
    DepartmentEmployee.from_date,
    DepartmentEmployee.to_date,
    DepartmentEmployee.version,
)

EMPLOYEE = Query(schemas.EmployeeShown, _SELECT.where(Employee.id == bindparam("id")))

EMPLOYEES = Listing(
    schemas.Employee,
    _SELECT,
    key=Employee.id,
    sorts={"id": Employee.id, "name": Employee.name_key},
    filters={
        "q": contains(Employee.name_key),
        "external_id": Filter(lambda value: Employee.external_id == value),
        "user_id": Filter(lambda value: Employee.user_id == value),
        "department_id": Filter(
            lambda value: (
                select(DepartmentEmployee.employee_id)
                .where(DepartmentEmployee.employee_id == Employee.id, DepartmentEmployee.department_id == value)
                .exists()
            )
        ),
    },
)


DEPARTMENTS = Listing(
    schemas.EmployeeDepartment,
    select(*_DEPARTMENT).join_from(DepartmentEmployee, Department, DepartmentEmployee.department_id == Department.id),
    key=Department.id,
    sorts={"id": Department.id, "name": Department.name_key},
    filters={
        "q": contains(Department.name_key),
        "employee_id": Filter(lambda value: DepartmentEmployee.employee_id == value),
    },
)


_shown: Callable[..., schemas.EmployeeShown] = schemas.EmployeeShown


def _row(*values: Any) -> tuple[Any, ...]:
    return values


_EMPLOYEE_AND_DEPARTMENTS = Query(
    _row,
    _SELECT.add_columns(*_DEPARTMENT)
    .outerjoin(DepartmentEmployee, DepartmentEmployee.employee_id == Employee.id)
    .outerjoin(Department, Department.id == DepartmentEmployee.department_id)
    .where(Employee.id == bindparam("id"))
    .order_by(Department.id),
)


async def employee_with_departments(reader: Reader, id: int) -> schemas.EmployeeShown | None:
    """Return an employee with all their departments, by one statement."""
    rows = await reader.all(_EMPLOYEE_AND_DEPARTMENTS, id=id)
    if not rows:
        return None
    departments = [schemas.EmployeeDepartment(*row[_WIDTH:]) for row in rows if row[_WIDTH] is not None]
    return _shown(*rows[0][:_WIDTH], departments)
