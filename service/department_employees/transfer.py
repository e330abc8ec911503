"""Import and export of links between departments and employees."""

from service.department_employees import actions, queries, schemas
from service.http.transfer.exports import Export
from service.http.transfer.spec import Import
from service.models import DepartmentEmployee

IMPORT = Import(
    DepartmentEmployee,
    title="who is in which department",
    create=schemas.DepartmentEmployeeCreate,
    view=schemas.DepartmentEmployeeExport,
    match=("department_id",),
    taken="This employee is in this department already.",
    check=actions.misdated,
)

EXPORT = Export(
    "department-employees",
    queries.LINKS,
    schemas.DepartmentEmployeeExport,
    schemas.DepartmentEmployeeParameters,
    title="who is in which department",
)
