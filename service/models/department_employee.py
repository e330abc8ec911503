"""Who is, or was, in which department."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.db import words
from service.models.base import Base, Tracked
from service.models.department import Department


class DepartmentEmployee(Tracked, Base):
    """One employee's time in one department."""

    __tablename__ = "department_employees"
    __table_args__ = (Index(None, "employee_id", "department_id"),)

    department_id: Mapped[words.Ref] = mapped_column(ForeignKey("departments.id", ondelete="CASCADE"), primary_key=True)
    employee_id: Mapped[words.Ref] = mapped_column(ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True)
    from_date: Mapped[words.Day | None]
    to_date: Mapped[words.Day | None]

    department: Mapped[Department] = relationship(lazy="raise")
