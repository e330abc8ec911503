"""Departments."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, relationship, validates

from service.db import words
from service.db.folding import fold
from service.models.base import Base, Entity
from service.models.department_employee import DepartmentEmployee


class Department(Entity, Base):
    """One department; its name is its own, however it is written."""

    __tablename__ = "departments"
    __table_args__ = (
        UniqueConstraint("name_key", info={"field": "name"}),
        UniqueConstraint("external_id"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[words.LongName]
    external_id: Mapped[words.ExternalId | None]
    description: Mapped[words.Description | None]
    name_key: Mapped[words.Folded]

    members: Mapped[list[DepartmentEmployee]] = relationship(
        back_populates="department", lazy="raise", passive_deletes="all"
    )

    @validates("name")
    def _fold(self, _field: str, value: str) -> str:
        self.name_key = fold(value)
        return value
