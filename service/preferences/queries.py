"""What is read of preferences."""

from sqlalchemy import bindparam, select

from service.db.reader import Query
from service.http.rendering import Text
from service.models import Preferences, User

# Before they are set, preferences are an empty object of version 0.
UNSET_TEXT, UNSET_VERSION = "{}", 0


def shown(text: str | None, version: int | None) -> Text:
    """Return what is shown of the preferences of a user who may have none."""
    return Text(UNSET_TEXT if text is None else text, version or UNSET_VERSION)


PREFERENCES = Query(
    shown,
    select(Preferences.document, Preferences.version)
    .select_from(User)
    .outerjoin(Preferences, Preferences.user_id == User.id)
    .where(User.id == bindparam("user_id")),
)
