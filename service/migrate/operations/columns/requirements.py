"""What a revision's definition of a column must meet, in itself and against the database."""

import re
from typing import Any

from sqlalchemy import Column, Computed, Connection, Enum, Identity, MetaData, Table, inspect

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import Precondition

# A volatile default: PostgreSQL rewrites the table under ACCESS EXCLUSIVE to give each row its own value.
_VOLATILE = ("random", "uuid", "nextval", "clock_timestamp", "timeofday")


def matches_definition(table: str, column: Column[Any]) -> Precondition:
    """The database's column has the nullability and the default of the revision's definition.

    Otherwise inserts that the revision believes possible would fail, and the downgrade would make another column.
    """

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        name = f"{table}.{column.name}"
        there = {each["name"]: each for each in inspect(connection).get_columns(table)}.get(column.name)
        if there is None:
            return []
        found = []
        if there["nullable"] is not column.nullable:
            found.append((dependents.may_be_null(name, is_so=there["nullable"]),))
        if not there["nullable"] and there.get("default") is None and column.server_default is not None:
            found.append((dependents.has_no_default(name),))
        return found

    why = f"{table}.{column.name} is not as it is told to be"
    return Precondition(why=why, rows=find, table=table, needs=(column.name,))


def no_nulls(table: str, column: str) -> Precondition:
    """No row has NULL there; the rows that do are reported by their keys."""

    def find(connection: Connection) -> str:
        key = primary_key(connection, table)
        return f"SELECT {key} FROM {ddl.quoted(table)} WHERE {ddl.quoted(column)} IS NULL ORDER BY {key}"

    return Precondition(why=f"{table}.{column} has no value in some rows", rows=find, table=table, needs=(column,))


def refuse_own_values(table: str, column: Column[Any]) -> None:
    """Raises Refused for a generated column, an identity, a primary key or a volatile default."""
    what = f"{table}.{column.name}"
    if isinstance(column.computed, Computed) or isinstance(column.identity, Identity) or column.primary_key:
        raise Refused(f"{what} has a value of its own in each row: PostgreSQL would write the whole table again.")
    default = ddl.default_text(column, "postgresql") or ""
    code = re.sub(r"'(?:[^']|'')*'", "", default).lower()
    if any(word in code for word in _VOLATILE):
        raise Refused(
            f"{what} has the default {default}, another value in each row: PostgreSQL would write the table again. "
            "Add it without, and let ops.set_not_null(…, fill=…) fill it."
        )


def refuse_own_constraints(table: str, column: Column[Any]) -> None:
    """Raises Refused for a column definition that includes a constraint, an index or a native enum."""
    what = f"{table}.{column.name}"
    owner = Table(table, MetaData(), column._copy())  # noqa: SLF001 - as dialects.ddl does
    plain = all(each is owner.primary_key for each in owner.constraints)
    if not plain or owner.indexes or column.constraints:
        raise Refused(
            f"{what} brings a constraint or an index of its own, which would look at every row under a lock. Add the "
            "column alone, then ops.add_check, add_unique, add_foreign_key or create_index."
        )
    refuse_enum(table, column)


def refuse_enum(table: str, column: Column[Any]) -> None:
    """Raises Refused for an enum that needs CREATE TYPE on PostgreSQL."""
    kind = column.type
    if isinstance(kind, Enum) and kind.native_enum and getattr(kind, "create_type", True):
        raise Refused(
            f"{table}.{column.name} is of an enum type of PostgreSQL's own, and code that does not know a value which "
            "is added to that later fails to read it. Make it a text, and hold it to its values with ops.add_check."
        )
