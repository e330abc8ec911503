"""What is read of departments."""

from sqlalchemy import bindparam, select

from service.db.listing import Filter, Listing, contains
from service.db.reader import Query
from service.db.rows import columns
from service.departments import schemas
from service.models import Department, DepartmentEmployee, Employee

_SELECT = columns(Department, schemas.Department)

DEPARTMENT = Query(schemas.Department, _SELECT.where(Department.id == bindparam("id")))

DEPARTMENTS = Listing(
    schemas.Department,
    _SELECT,
    key=Department.id,
    sorts={"id": Department.id, "name": Department.name_key},
    filters={
        "q": contains(Department.name_key),
        "external_id": Filter(lambda value: Department.external_id == value),
    },
)


MEMBERS = Listing(
    schemas.DepartmentMember,
    select(
        Employee.id,
        Employee.external_id,
        Employee.name,
        Employee.job_title,
        DepartmentEmployee.from_date,
        DepartmentEmployee.to_date,
        DepartmentEmployee.version,
    ).join_from(DepartmentEmployee, Employee, DepartmentEmployee.employee_id == Employee.id),
    key=Employee.id,
    sorts={"id": Employee.id, "name": Employee.name_key},
    filters={
        "q": contains(Employee.name_key),
        "department_id": Filter(lambda value: DepartmentEmployee.department_id == value),
    },
)
