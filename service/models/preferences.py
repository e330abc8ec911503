"""Preferences."""

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.models.base import Base, Tracked


class Preferences(Tracked, Base):
    """The settings that programs keep for one user: one JSON object."""

    __tablename__ = "preferences"

    user_id: Mapped[words.Ref] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    # JSON text in one canonical form: jsonb would round and rewrite numbers, which SQLite does not.
    document: Mapped[str] = mapped_column(Text, info={"json": True})
