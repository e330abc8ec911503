"""What is read of tokens."""

from service.db.listing import Filter, Listing
from service.db.rows import columns
from service.models import Token
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
