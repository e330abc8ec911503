"""The options of `service.migrate.ops` functions, with the names that SQLAlchemy and Alembic give them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from service.migrate.dialects.ddl import Expression
from service.migrate.errors import Refused
from service.migrate.operations.attributes import refuse_options


class _PostgresqlIndex(TypedDict, total=False):
    postgresql_using: str
    postgresql_where: Expression
    postgresql_include: Sequence[str]
    postgresql_ops: Mapping[str, str]
    postgresql_concurrently: bool
    postgresql_with: Mapping[str, Any]
    postgresql_tablespace: str
    postgresql_nulls_not_distinct: bool


class IndexOptions(_PostgresqlIndex, total=False):
    """Options of an index; those of sa.Index for one database begin with its name."""

    unique: bool
    where: Expression
    using: str
    sqlite_where: Expression
    comment: str
    info: Mapping[str, Any]


class ConstraintOptions(TypedDict, total=False):
    """Options of every constraint."""

    comment: str
    info: Mapping[str, Any]


class CheckOptions(ConstraintOptions, total=False):
    """Options of a CHECK constraint."""

    postgresql_not_valid: bool


class UniqueOptions(ConstraintOptions, total=False):
    """Options of a UNIQUE constraint; DEFERRABLE is PostgreSQL's."""

    deferrable: bool
    initially: str
    postgresql_include: Sequence[str]
    postgresql_nulls_not_distinct: bool
    sqlite_on_conflict: str


class ForeignKeyOptions(ConstraintOptions, total=False):
    """Options of a FOREIGN KEY constraint."""

    ondelete: str | None
    onupdate: str | None
    deferrable: bool
    initially: str
    match: str
    postgresql_not_valid: bool


_KINDS = {
    IndexOptions: "Index",
    CheckOptions: "CheckConstraint",
    UniqueOptions: "UniqueConstraint",
    ForeignKeyOptions: "ForeignKeyConstraint",
}


def known(what: str, options: Mapping[str, Any], listed: Any) -> dict[str, Any]:
    """The options that are set; raises Refused for one that the function does not take."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given.keys() - listed.__annotations__.keys():
        refuse_options(what, _KINDS[listed], {name: given[name]})
        names = ", ".join(sorted(listed.__annotations__))
        raise Refused(f"{what} has {name}=, which is no option of it. The options are {names}.")
    given.pop("info", None)
    return given
