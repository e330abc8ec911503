"""What is read of tokens."""

from functools import cache

from sqlalchemy import bindparam, or_

from service.db.listing import Filter, Listing
from service.db.reader import Query
from service.db.rows import columns
from service.models import Token, User
from service.tokens import schemas

TOKENS = Listing(
    schemas.Token,
    columns(Token, schemas.Token),
    key=Token.id,
    sorts={"id": Token.id},
    filters={
        "user_id": Filter(lambda value: Token.user_id == value),
        "kind": Filter(lambda value: Token.kind == value),
    },
)


@cache
def owned(*, with_ended: bool, of_one: bool) -> Query[schemas.OwnedToken]:
    """Return the query of tokens with their users' emails; it takes `email_key` for one user, `at` for valid ones."""
    statement = columns(Token, schemas.Token).add_columns(User.email).join(User, User.id == Token.user_id)
    if not with_ended:
        statement = statement.where(
            Token.revoked_at.is_(None),
            or_(Token.expires_at.is_(None), Token.expires_at > bindparam("at", type_=Token.expires_at.type)),
        )
    if of_one:
        statement = statement.where(User.email_key == bindparam("email_key"))
    return Query(schemas.OwnedToken, statement.order_by(Token.id))
