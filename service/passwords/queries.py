"""What is read of password links."""

from datetime import datetime

import msgspec
from sqlalchemy import bindparam, select

from service.db.reader import Query
from service.models import Token, User


class Link(msgspec.Struct, frozen=True):
    """A link and its user."""

    id: int
    user_id: int
    email: str
    active: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    # What its maker may do; None for an operator's link.
    permissions: list[str] | None


LINK = Query(
    Link,
    select(Token.id, Token.user_id, User.email, User.active, Token.expires_at, Token.revoked_at, Token.permissions)
    .join(User, User.id == Token.user_id)
    .where(Token.digest == bindparam("digest", type_=Token.digest.type), Token.kind == "link"),
)

# For a unit of work: of two that use one link, the second waits here and finds it used.
LINK_TO_USE = LINK.statement.with_for_update(of=Token)
