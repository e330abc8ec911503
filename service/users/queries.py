"""What is read of users."""

from typing import Any

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from service.db.folding import fold
from service.db.listing import Filter, Listing, contains
from service.db.reader import Query
from service.db.rows import columns
from service.db.types import RawText
from service.models import Preferences, Role, Token, User, UserRole
from service.users import schemas

_SELECT = columns(User, schemas.User)

USER = Query(schemas.User, _SELECT.where(User.id == bindparam("id")))

TOKEN = Query(schemas.OwnToken, columns(Token, schemas.OwnToken).where(Token.id == bindparam("id")))

_SORTS: dict[str, InstrumentedAttribute[Any]] = {"id": User.id, "name": User.name_key, "email": User.email_key}
_FILTERS = {
    "q": contains(User.name_key, User.email_key),
    "email": Filter(lambda value: User.email_key == value, fold),
    "external_id": Filter(lambda value: User.external_id == value),
    "active": Filter(lambda value: User.active == value),
    "role": Filter(
        lambda value: User.id.in_(
            select(UserRole.user_id).join(Role, Role.id == UserRole.role_id).where(Role.name == value)
        )
    ),
}

USERS = Listing(schemas.User, _SELECT, key=User.id, sorts=_SORTS, filters=_FILTERS)

# As USERS, with the preferences.
EXPORTED = Listing(
    schemas.UserExport,
    _SELECT.add_columns(
        func.coalesce(Preferences.document, literal_column("'{}'"), type_=RawText()).label("preferences")
    ).outerjoin(Preferences, Preferences.user_id == User.id),
    key=User.id,
    sorts=_SORTS,
    filters=_FILTERS,
)
