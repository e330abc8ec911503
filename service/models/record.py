"""Recordings."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from service.db import words
from service.db.folding import fold
from service.models.base import Base, Entity


class Record(Entity, Base):
    """One recording, owned by a user or by no one."""

    __tablename__ = "records"
    __table_args__ = (
        UniqueConstraint("external_id"),
        CheckConstraint("duration >= 0", name="duration", info={"field": "duration"}),
        Index(None, "title_key", "id"),
        Index(None, "date_created", "id"),
        Index(None, "owner_id", "id"),
        {"sqlite_autoincrement": True},
    )

    title: Mapped[words.Title]
    duration: Mapped[words.Seconds | None]
    date_created: Mapped[words.Moment] = mapped_column(default=words.now)
    external_id: Mapped[words.ExternalId | None]
    owner_id: Mapped[words.Ref | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    description: Mapped[words.Description | None]
    tags: Mapped[words.Tags]
    title_key: Mapped[words.Folded]

    @validates("title")
    def _fold(self, _field: str, value: str) -> str:
        self.title_key = fold(value)
        return value
