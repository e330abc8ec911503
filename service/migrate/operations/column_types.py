"""Types that no operation can create, or that a database has not."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Enum
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import CompileError
from sqlalchemy.types import NullType, TypeEngine

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.step import Target


def refuse_type(what: str, column: Column[Any], target: Target) -> None:
    """Raises Refused for a type that the database has not."""
    try:
        ddl.type_text(column, target.dialect)
    except CompileError as failure:
        if isinstance(column.type, NullType):
            return
        database = "SQLite" if target.is_sqlite else "PostgreSQL"
        raise Refused(
            f"{what} has the type {column.type!r}, which {database} has not. Give the type for {database} with "
            "with_variant."
        ) from failure


def refuse_types(table: str, column: Column[Any]) -> None:
    """Raises Refused for a type that needs CREATE TYPE or CREATE DOMAIN on PostgreSQL."""
    for kind in _types(column.type):
        if isinstance(kind, Enum) and kind.native_enum and getattr(kind, "create_type", True):
            raise Refused(
                f"{table}.{column.name} has a native enum type: the old version fails to read a value that is added to "
                "the type later. Use a text type, and restrict its values with ops.add_check."
            )
        if isinstance(kind, DOMAIN) and kind.create_type:
            raise Refused(
                f"{table}.{column.name} has the domain {kind.name}, which no operation creates. Create it with "
                "ops.execute, and pass create_type=False."
            )


def _types(kind: TypeEngine[Any]) -> Iterator[TypeEngine[Any]]:
    """The type on PostgreSQL: without the type that Python sees, and with the type of an array's items."""
    impl: Any = kind.dialect_impl(ddl.dialect("postgresql"))
    impl = getattr(impl, "impl_instance", impl)
    yield impl
    if isinstance(item := getattr(impl, "item_type", None), TypeEngine):
        yield from _types(item)
