"""Departments."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from service.db import words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity, External, Searchable


class Department(Searchable, External, Entity, Base):
    """One department; no two names differ by case or by form of Unicode alone."""

    __tablename__ = "departments"
    __table_args__ = (
        UniqueConstraint("name_key", info={"field": "name"}),
        IDS_ARE_NOT_REUSED,
    )

    name: Mapped[words.LongName]
    description: Mapped[words.Description | None]
    name_key: Mapped[words.Folded]
