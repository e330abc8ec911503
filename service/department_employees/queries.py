"""What is read of links between departments and employees."""

from sqlalchemy import bindparam

from service.db.reader import Query
from service.db.rows import columns
from service.department_employees import schemas
from service.models import DepartmentEmployee

LINK = Query(
    schemas.DepartmentEmployee,
    columns(DepartmentEmployee, schemas.DepartmentEmployee).where(
        DepartmentEmployee.department_id == bindparam("department_id"),
        DepartmentEmployee.employee_id == bindparam("employee_id"),
    ),
)
