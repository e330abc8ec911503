"""People who use the directory."""

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property

from service.db import words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity, External, Searchable
from service.models.user_role import RoleNames


class User(Searchable, External, Entity, Base):
    """One person; the address of their mail is theirs alone, however it is written."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email_key", info={"field": "email"}),
        CheckConstraint("age BETWEEN 0 AND 150", name="age", info={"field": "age"}),
        Index(None, "name_key", "id"),
        IDS_ARE_NOT_REUSED,
    )

    name: Mapped[words.Name]
    email: Mapped[words.Email]
    age: Mapped[words.Age | None]
    address: Mapped[words.Address | None]
    active: Mapped[words.Active]
    name_key: Mapped[words.Folded]
    email_key: Mapped[words.Folded]

    # Not a column of the table: a subquery, read only where it is asked for.
    roles: Mapped[list[str]] = column_property(RoleNames(), deferred=True, expire_on_flush=False)
