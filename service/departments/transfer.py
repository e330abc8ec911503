"""Import and export of departments."""

from service.departments import queries, schemas
from service.http.transfer.exports import Export
from service.http.transfer.spec import Import
from service.models import Department

IMPORT = Import(
    Department,
    title="departments",
    create=schemas.DepartmentCreate,
    view=schemas.Department,
    match=("external_id", "name"),
)

EXPORT = Export(
    "departments", queries.DEPARTMENTS, schemas.Department, schemas.DepartmentParameters, title="departments"
)
