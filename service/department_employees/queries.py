"""What is read of links between departments and employees."""

from sqlalchemy import bindparam, select

from service.db.listing import Filter, Listing
from service.db.reader import Query
from service.db.rows import columns
from service.department_employees import schemas
from service.models import Department, DepartmentEmployee, Employee

LINK = Query(
    schemas.DepartmentEmployee,
    columns(DepartmentEmployee, schemas.DepartmentEmployee).where(
        DepartmentEmployee.department_id == bindparam("department_id"),
        DepartmentEmployee.employee_id == bindparam("employee_id"),
    ),
)

LINKS = Listing(
    schemas.DepartmentEmployeeExport,
    select(
        DepartmentEmployee.department_id,
        DepartmentEmployee.employee_id,
        Department.external_id,
        Employee.external_id,
        DepartmentEmployee.from_date,
        DepartmentEmployee.to_date,
        DepartmentEmployee.version,
        DepartmentEmployee.created_at,
        DepartmentEmployee.updated_at,
    )
    .join_from(DepartmentEmployee, Department, DepartmentEmployee.department_id == Department.id)
    .join(Employee, DepartmentEmployee.employee_id == Employee.id),
    # A link has no id of its own: both together are the primary key.
    key=DepartmentEmployee.employee_id,
    sorts={"id": DepartmentEmployee.department_id},
    filters={
        "department_id": Filter(lambda value: DepartmentEmployee.department_id == value),
        "employee_id": Filter(lambda value: DepartmentEmployee.employee_id == value),
    },
)
