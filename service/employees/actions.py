"""What an import of employees stores."""

from service.employees import schemas
from service.http.transfer.declarations import Import
from service.models import Employee

IMPORT = Import(
    Employee,
    title="employees",
    create=schemas.EmployeeCreate,
    view=schemas.Employee,
    match=("external_id",),
)
