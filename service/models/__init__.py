"""The schema that this code expects, readable in one sitting."""

from service.models.base import Base
from service.models.department import Department
from service.models.department_employee import DepartmentEmployee
from service.models.employee import Employee
from service.models.idempotency_key import IdempotencyKey
from service.models.record import Record
from service.models.user import User

__all__ = [
    "Base",
    "Department",
    "DepartmentEmployee",
    "Employee",
    "IdempotencyKey",
    "Record",
    "User",
]
