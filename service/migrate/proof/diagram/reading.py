"""The schema of a project's models, and of a database, read for a diagram."""

import warnings
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, MetaData, UniqueConstraint, inspect
from sqlalchemy.exc import SAWarning

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.proof.diagram.schema import Column, Relation, Schema, Table
from service.migrate.state import ledger

_PARTITIONS = (
    "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = quote_ident(current_schema())::regnamespace"
)


def is_own(table: str) -> bool:
    """Whether a table is the migrator's, or in the trash."""
    return (
        table in ledger.TABLES or table == "alembic_version" or table.startswith((ddl.TRASH, naming.current().prefix))
    )


def of_models(metadata: MetaData) -> Schema:
    """The tables that the models declare."""
    tables, relations = [], []
    for table in sorted(metadata.tables.values(), key=lambda each: each.fullname):
        unique = [tuple(each.name for each in table.primary_key)]
        unique += [_names(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)]
        unique += [_names(each.columns) for each in table.indexes if each.unique and each.columns]
        keys = sorted(table.foreign_key_constraints, key=lambda each: _names(each.columns))
        own = [
            _relation(
                table.fullname,
                _names(each.columns),
                each.referred_table.fullname,
                tuple(element.column.name for element in each.elements),
                is_required=not any(column.nullable for column in each.columns),
                unique=unique,
            )
            for each in keys
        ]
        columns = [
            {"name": each.name, "type": each.type, "nullable": each.nullable, "key": each.primary_key}
            for each in table.columns
        ]
        tables.append(_table(table.fullname, columns, own, unique))
        relations += own
    return Schema(tables=tuple(tables), relations=tuple(relations))


def of_database(connection: Connection) -> Schema:
    """The tables of a database, without the migrator's own."""
    with warnings.catch_warnings():
        # An index on an expression, or a type that SQLAlchemy does not know, is no fault of the diagram's reader.
        warnings.simplefilter("ignore", SAWarning)
        return _of_database(connection)


def _of_database(connection: Connection) -> Schema:
    inspector = inspect(connection)
    tables, relations = [], []
    partitions = (
        set() if connection.dialect.name == "sqlite" else set(connection.exec_driver_sql(_PARTITIONS).scalars())
    )
    for name in sorted(inspector.get_table_names()):
        if is_own(name) or name in partitions:
            continue
        key = inspector.get_pk_constraint(name)["constrained_columns"]
        columns = [each | {"key": each["name"] in key} for each in inspector.get_columns(name)]
        nullable = {each["name"] for each in columns if each["nullable"]}
        unique = [tuple(key)]
        unique += [tuple(each["column_names"]) for each in inspector.get_unique_constraints(name)]
        unique += [tuple(filter(None, each["column_names"])) for each in inspector.get_indexes(name) if each["unique"]]
        keys = sorted(inspector.get_foreign_keys(name), key=lambda each: each["constrained_columns"])
        own = [
            _relation(
                name,
                tuple(each["constrained_columns"]),
                each["referred_table"],
                tuple(each["referred_columns"]),
                is_required=nullable.isdisjoint(each["constrained_columns"]),
                unique=unique,
            )
            for each in keys
        ]
        tables.append(_table(name, columns, own, unique))
        relations += own
    return Schema(tables=tuple(tables), relations=tuple(relations))


def _names(columns: Any) -> tuple[str, ...]:
    return tuple(each.name for each in columns)


def _relation(
    table: str,
    columns: tuple[str, ...],
    referred: str,
    referred_columns: tuple[str, ...],
    *,
    is_required: bool,
    unique: Collection[tuple[str, ...]],
) -> Relation:
    return Relation(
        table=table,
        columns=columns,
        referred=referred,
        referred_columns=referred_columns,
        is_required=is_required,
        is_unique=any(set(each) == set(columns) for each in unique),
    )


def _table(name: str, columns: Collection[Any], relations: list[Relation], unique: list[tuple[str, ...]]) -> Table:
    referred = {column: each.referred for each in relations for column in each.columns}
    found = [
        Column(
            name=each["name"],
            type=_type(each["type"]),
            is_nullable=bool(each["nullable"]) and not each["key"],
            is_key=bool(each["key"]),
            is_unique=(each["name"],) in unique[1:],
            references=referred.get(each["name"]),
        )
        for each in columns
    ]
    return Table(name=name, columns=tuple(found))


def _type(kind: Any) -> str:
    """The type as SQLAlchemy spells it without a database, in small letters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        try:
            return str(kind).lower()
        except NotImplementedError:
            # A type of one database alone has no general spelling.
            return type(kind).__name__.lower()
