"""What every table of the directory shares: names of constraints, the id, the version and the times."""

from typing import Any

from sqlalchemy import MetaData, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, validates

from service.db import words
from service.db.folding import fold

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite gives the id of a deleted row again unless the table says AUTOINCREMENT.
IDS_ARE_NOT_REUSED = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """The registry of the schema that this code expects."""

    metadata = MetaData(naming_convention=NAMING)

    def __repr__(self) -> str:
        identity = inspect(self).identity
        return f"<{type(self).__name__} {', '.join(map(str, identity)) if identity else 'not stored'}>"


class Tracked:
    """A row that counts its changes; an UPDATE of a version that is no longer there touches no row."""

    version: Mapped[words.Version]
    created_at: Mapped[words.Created]
    updated_at: Mapped[words.Updated]

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy calls it on the class
        return {"version_id_col": cls.version}


class Entity(Tracked):
    """A tracked row with an id that is never given out twice."""

    id: Mapped[words.Id]


class External:
    """A row that callers may know by a key of their own."""

    external_id: Mapped[words.ExternalId | None] = mapped_column(unique=True)


class Searchable:
    """A row with folded keys: SQLite and PostgreSQL compare `name_key` alike, whatever the letters of `name`."""

    @validates("name", "title", "email")
    def _fold(self, field: str, value: str) -> str:
        setattr(self, f"{field}_key", fold(value))
        return value
