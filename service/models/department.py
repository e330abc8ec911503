"""Departments."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, relationship

from service.db import words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity, External, Searchable
from service.models.department_employee import DepartmentEmployee


class Department(Searchable, External, Entity, Base):
    """One department; its name is its own, however it is written."""

    __tablename__ = "departments"
    __table_args__ = (
        UniqueConstraint("name_key", info={"field": "name"}),
        IDS_ARE_NOT_REUSED,
    )

    name: Mapped[words.LongName]
    description: Mapped[words.Description | None]
    name_key: Mapped[words.Folded]

    members: Mapped[list[DepartmentEmployee]] = relationship(
        back_populates="department", lazy="raise", passive_deletes="all"
    )
