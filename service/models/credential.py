"""Passwords."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.models.base import Base


class Credential(Base):
    """The hash of one user's password, in a table that no statement on users reads."""

    __tablename__ = "credentials"

    user_id: Mapped[words.Ref] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    password_hash: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[words.Moment]
