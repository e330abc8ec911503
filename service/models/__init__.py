"""The schema that this code expects, readable in one sitting."""

from service.models.base import Base
from service.models.credential import Credential
from service.models.department import Department
from service.models.department_employee import DepartmentEmployee
from service.models.employee import Employee
from service.models.event import Event
from service.models.idempotency_key import IdempotencyKey
from service.models.login import Login
from service.models.preferences import Preferences
from service.models.record import Record
from service.models.role import Role
from service.models.token import Token
from service.models.user import User
from service.models.user_role import UserRole

__all__ = [
    "Base",
    "Credential",
    "Department",
    "DepartmentEmployee",
    "Employee",
    "Event",
    "IdempotencyKey",
    "Login",
    "Preferences",
    "Record",
    "Role",
    "Token",
    "User",
    "UserRole",
]
