"""What is read of roles."""

from sqlalchemy import bindparam, literal_column, select

from service.db.listing import Filter, Listing
from service.db.reader import Query
from service.db.rows import columns
from service.models import Role, User, UserRole
from service.roles import schemas

SELECT = columns(Role, schemas.Role)

ROLE = Query(schemas.Role, SELECT.where(Role.name == bindparam("name")))

ROLES = Listing(
    schemas.Role,
    SELECT,
    key=Role.id,
    sorts={"id": Role.id, "name": Role.name},
    filters={"user_id": Filter(lambda value: Role.id.in_(select(UserRole.role_id).where(UserRole.user_id == value)))},
)

USER_EXISTS = Query(bool, select(literal_column("1")).select_from(User).where(User.id == bindparam("user_id")))
