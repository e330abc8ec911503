"""Roles."""

from sqlalchemy import UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from service.db import words
from service.models.base import IDS_ARE_NOT_REUSED, Base, Entity


class Role(Entity, Base):
    """A named list of permissions; those of a built-in role are in the code and not in its row."""

    __tablename__ = "roles"
    __table_args__ = (
        UniqueConstraint("name"),
        IDS_ARE_NOT_REUSED,
    )

    name: Mapped[words.RoleName]
    description: Mapped[words.Description | None]
    permissions: Mapped[words.PermissionList]
    built_in: Mapped[bool] = mapped_column(default=False, server_default=false())
