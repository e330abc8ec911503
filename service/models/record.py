"""Recordings."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from service.db import clock, words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity, External, Searchable


class Record(Searchable, External, Entity, Base):
    """One recording, owned by a user or by no one."""

    __tablename__ = "records"
    __table_args__ = (
        CheckConstraint("duration >= 0", name="duration", info={"field": "duration"}),
        Index(None, "title_key", "id"),
        Index(None, "date_created", "id"),
        Index(None, "owner_id", "id"),
        IDS_ARE_NOT_REUSED,
    )

    title: Mapped[words.Title]
    duration: Mapped[words.Seconds | None]
    date_created: Mapped[words.Moment] = mapped_column(default=clock.now)
    owner_id: Mapped[words.Ref | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    description: Mapped[words.Description | None]
    tags: Mapped[words.Tags]
    title_key: Mapped[words.Folded]
