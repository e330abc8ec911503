"""Import and export of employees."""

from service.employees import queries, schemas
from service.http.transfer.exports import Export
from service.http.transfer.spec import Import
from service.models import Employee

IMPORT = Import(
    Employee,
    title="employees",
    create=schemas.EmployeeCreate,
    view=schemas.Employee,
    match=("external_id",),
)

EXPORT = Export("employees", queries.EMPLOYEES, schemas.Employee, schemas.EmployeeParameters, title="employees")
