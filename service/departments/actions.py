"""What an import of departments stores."""

from service.departments import schemas
from service.http.transfer.declarations import Import
from service.models import Department

IMPORT = Import(
    Department,
    title="departments",
    create=schemas.DepartmentCreate,
    view=schemas.Department,
    match=("external_id", "name"),
)
