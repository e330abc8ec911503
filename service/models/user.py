"""People who use the directory."""

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, validates

from service.db import words
from service.db.folding import fold
from service.models.base import Base, Entity


class User(Entity, Base):
    """One person; the address of their mail is theirs alone, however it is written."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email_key", info={"field": "email"}),
        UniqueConstraint("external_id"),
        CheckConstraint("age BETWEEN 0 AND 150", name="age", info={"field": "age"}),
        Index(None, "name_key", "id"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[words.Name]
    email: Mapped[words.Email]
    age: Mapped[words.Age | None]
    address: Mapped[words.Address | None]
    external_id: Mapped[words.ExternalId | None]
    active: Mapped[words.Active]
    name_key: Mapped[words.Folded]
    email_key: Mapped[words.Folded]

    @validates("name", "email")
    def _fold(self, field: str, value: str) -> str:
        setattr(self, f"{field}_key", fold(value))
        return value
