"""Employees."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.db import words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity, External, Searchable
from service.models.department_employee import DepartmentEmployee


class Employee(Searchable, External, Entity, Base):
    """One employee, in any number of departments, who may also be a user."""

    __tablename__ = "employees"
    __table_args__ = (
        UniqueConstraint("user_id"),
        Index(None, "name_key", "id"),
        IDS_ARE_NOT_REUSED,
    )

    name: Mapped[words.LongName]
    user_id: Mapped[words.Ref | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    job_title: Mapped[words.LongName | None]
    hired_on: Mapped[words.Day | None]
    name_key: Mapped[words.Folded]

    memberships: Mapped[list[DepartmentEmployee]] = relationship(lazy="raise", passive_deletes="all")
