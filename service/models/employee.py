"""Employees."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from service.db import words
from service.db.folding import fold
from service.models.base import Base, Entity
from service.models.department_employee import DepartmentEmployee


class Employee(Entity, Base):
    """One employee, in any number of departments, who may also be a user."""

    __tablename__ = "employees"
    __table_args__ = (
        UniqueConstraint("external_id"),
        UniqueConstraint("user_id"),
        Index(None, "name_key", "id"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[words.LongName]
    external_id: Mapped[words.ExternalId | None]
    user_id: Mapped[words.Ref | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    job_title: Mapped[words.LongName | None]
    hired_on: Mapped[words.Day | None]
    name_key: Mapped[words.Folded]

    memberships: Mapped[list[DepartmentEmployee]] = relationship(
        back_populates="employee", lazy="raise", passive_deletes="all"
    )

    @validates("name")
    def _fold(self, _field: str, value: str) -> str:
        self.name_key = fold(value)
        return value
