"""Which users have which roles."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.models.base import Base


class UserRole(Base):
    """One role of one user."""

    __tablename__ = "user_roles"
    __table_args__ = (Index(None, "role_id", "user_id"),)

    user_id: Mapped[words.Ref] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[words.Ref] = mapped_column(ForeignKey("roles.id", ondelete="RESTRICT"), primary_key=True)
    created_at: Mapped[words.Created]
