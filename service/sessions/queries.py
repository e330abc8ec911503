"""What is read to log a user in."""

from datetime import datetime

import msgspec
from sqlalchemy import bindparam, select

from service.db.reader import Query
from service.models import Credential, User


class Account(msgspec.Struct, frozen=True):
    """A user as a login sees one; the last two are None for a user who has no password."""

    user_id: int
    email: str
    active: bool
    password_hash: str | None
    changed_at: datetime | None


_ACCOUNT = select(User.id, User.email, User.active, Credential.password_hash, Credential.changed_at).outerjoin(
    Credential, Credential.user_id == User.id
)

ACCOUNT_OF_EMAIL = Query(Account, _ACCOUNT.where(User.email_key == bindparam("email_key")))
ACCOUNT_OF_USER = Query(Account, _ACCOUNT.where(User.id == bindparam("id")))

# For a unit of work: the row is locked, so that the password does not change meanwhile.
PASSWORD = (
    select(Credential.changed_at, User.active)
    .join(User, User.id == Credential.user_id)
    .where(Credential.user_id == bindparam("user_id"))
    .with_for_update(of=Credential)
)
