"""Which users have which roles."""

from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from service.db import words
from service.db.types import TextList
from service.models.base import Base


class UserRole(Base):
    """One role of one user."""

    __tablename__ = "user_roles"
    __table_args__ = (Index(None, "role_id", "user_id"),)

    user_id: Mapped[words.Ref] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[words.Ref] = mapped_column(ForeignKey("roles.id", ondelete="RESTRICT"), primary_key=True)
    created_at: Mapped[words.Created]


class RoleNames(FunctionElement[list[str]]):
    """The names of a user's roles, sorted; in a SELECT of users, or in what a statement on users returns."""

    type = TextList()
    inherit_cache = True


_NAMES = (
    "SELECT roles.name FROM user_roles JOIN roles ON roles.id = user_roles.role_id "
    "WHERE user_roles.user_id = users.id ORDER BY roles.name"
)


@compiles(RoleNames)
def _role_names(_element: RoleNames, _compiler: SQLCompiler, **_: Any) -> str:
    return f"ARRAY({_NAMES})"


@compiles(RoleNames, "sqlite")
def _role_names_on_sqlite(_element: RoleNames, _compiler: SQLCompiler, **_: Any) -> str:
    return f"(SELECT json_group_array(held.name) FROM ({_NAMES}) AS held)"  # noqa: S608 - a constant
