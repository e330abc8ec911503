"""Import and export of users."""

from service.http.transfer.exports import Export
from service.http.transfer.spec import Import
from service.models import User
from service.users import queries, schemas

IMPORT = Import(
    User,
    title="users",
    create=schemas.UserCreate,
    view=schemas.User,
    match=("external_id", "email"),
)

EXPORT = Export("users", queries.USERS, schemas.User, schemas.UserParameters, title="users")
