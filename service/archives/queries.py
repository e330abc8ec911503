"""What an archive reads that no other noun does."""

from sqlalchemy import bindparam, select

from service.db.reader import Query
from service.models import Credential, Employee

PASSWORD_CHANGED_AT = Query(
    lambda at: at, select(Credential.changed_at).where(Credential.user_id == bindparam("user_id"))
)
EMPLOYEE_ID = Query(lambda id: id, select(Employee.id).where(Employee.user_id == bindparam("user_id")))
