"""Every attribute of SQLAlchemy's schema constructs: made in the database, of Python alone, or refused by name."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.sql.schema import SchemaItem

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.column_types import refuse_type, refuse_types
from service.migrate.operations.step import Target


class Treatment(StrEnum):
    """What the operations do with an attribute."""

    # In the statements for each database; postgresql_… and sqlite_… for that database, comments for PostgreSQL.
    MADE = "made"
    # Made on PostgreSQL; refused on SQLite, which would do something else.
    POSTGRESQL = "refused on SQLite"
    # SQLAlchemy writes no SQL for it.
    PYTHON = "Python alone"
    REFUSED = "refused"


Treatments: TypeAlias = Mapping[str, Treatment]


def _all(made: str = "", postgresql: str = "", python: str = "", refused: str = "") -> Treatments:
    found = ((Treatment.MADE, made), (Treatment.POSTGRESQL, postgresql), (Treatment.PYTHON, python))
    return {name: each for each, names in (*found, (Treatment.REFUSED, refused)) for name in names.split()}


# By class and argument, and by class and the options of a dialect; a test compares this with SQLAlchemy's classes.
ATTRIBUTES: Mapping[str, Treatments] = {
    "Column": _all(
        made="args name type_ autoincrement index unique nullable primary_key server_default comment "
        "sqlite_on_conflict_primary_key sqlite_on_conflict_not_null sqlite_on_conflict_unique",
        python="default insert_default onupdate server_onupdate doc info insert_sentinel",
        refused="key system quote",
    ),
    "Table": _all(
        made="name args comment postgresql_tablespace postgresql_partition_by postgresql_with postgresql_inherits "
        "postgresql_using sqlite_autoincrement sqlite_with_rowid sqlite_strict",
        postgresql="prefixes",
        python="metadata info implicit_returning postgresql_ignore_search_path",
        refused="schema quote quote_schema autoload_with autoload_replace keep_existing extend_existing resolve_fks "
        "include_columns listeners postgresql_on_commit postgresql_with_oids",
    ),
    "Index": _all(
        made="name expressions unique postgresql_using postgresql_include postgresql_where postgresql_ops "
        "postgresql_concurrently postgresql_with postgresql_tablespace postgresql_nulls_not_distinct sqlite_where",
        python="info",
        refused="quote postgresql_invalid",
    ),
    "CheckConstraint": _all(
        made="sqltext name comment postgresql_not_valid",
        python="table info",
        refused="deferrable initially sqlite_on_conflict",
    ),
    "ForeignKeyConstraint": _all(
        made="columns refcolumns name onupdate ondelete deferrable initially comment postgresql_not_valid",
        postgresql="match",
        python="table use_alter info",
        refused="link_to_name sqlite_on_conflict",
    ),
    "ForeignKey": _all(
        made="column name onupdate ondelete deferrable initially comment postgresql_not_valid",
        postgresql="match",
        python="use_alter info",
        refused="link_to_name sqlite_on_conflict",
    ),
    "UniqueConstraint": _all(
        made="columns name comment postgresql_include postgresql_nulls_not_distinct sqlite_on_conflict",
        postgresql="deferrable initially",
        python="info",
    ),
    "PrimaryKeyConstraint": _all(
        made="columns name comment postgresql_include sqlite_on_conflict",
        postgresql="deferrable initially",
        python="info",
    ),
    "ExcludeConstraint": _all(
        postgresql="elements name using where ops deferrable initially",
        # SQLAlchemy's class takes it and forgets it.
        python="info sqlite_on_conflict",
    ),
    "Identity": _all(
        made="always cache nominvalue nomaxvalue",
        postgresql="start increment minvalue maxvalue cycle",
        refused="on_null order",
    ),
    "Computed": _all(made="sqltext persisted"),
    "Sequence": _all(
        refused="name start increment minvalue maxvalue nominvalue nomaxvalue cycle schema cache order data_type "
        "optional quote metadata quote_schema for_update",
    ),
}

_WHY = {
    "schema": "the operations work in one schema. Let the search_path lead there, or use ops.execute",
    "key": "a revision names columns as the database does. Leave key= out",
    "system": "CREATE TABLE would leave the column out. Leave system= out",
    "quote": "the operations quote each name that needs quotes. Leave quote= out",
    "quote_schema": "the operations work in one schema. Leave quote_schema= out",
    "listeners": "the operations run no events of a table. Use ops.execute",
    "prefixes": "only UNLOGGED is supported, on PostgreSQL. Pass ops.either(postgresql='UNLOGGED', sqlite='') in it",
    "deferrable": "neither database defers it. Leave it out",
    "initially": "neither database defers it. Leave it out",
    "sqlite_on_conflict": "SQLite ignores ON CONFLICT there. Leave it out",
    "link_to_name": "a revision names columns as the database does. Leave link_to_name= out",
    "match": "PostgreSQL supports MATCH FULL and MATCH SIMPLE. Use one of them",
    "on_null": "PostgreSQL has no ON NULL. Leave on_null= out",
    "order": "PostgreSQL has no ORDER. Leave order= out",
    "postgresql_on_commit": "the table would be temporary. Leave it out",
    "postgresql_with_oids": "PostgreSQL has no WITH OIDS since 12. Leave it out",
    "postgresql_invalid": "an invalid index cannot be made. Leave it out",
}
_ELSE = "a revision declares the whole table. Leave it out"
_OTHER_DATABASES = ("mysql_", "mariadb_", "mssql_", "oracle_")
_SQLITE_COLLATIONS = ("BINARY", "NOCASE", "RTRIM")
_UNSET: tuple[object, ...] = (None, False, (), [])


def refuse_options(what: str, kind: str, options: Mapping[str, Any]) -> None:
    """Raises Refused for an argument that the class does not have, or that is refused in any definition."""
    for name, value in options.items():
        unset = (None, True) if name == "quote" else _UNSET
        treatment = ATTRIBUTES[kind].get(name)
        if treatment is Treatment.REFUSED and not any(value is each for each in unset):
            raise _refused(what, kind, name)
        if treatment is None and not name.startswith(_OTHER_DATABASES):
            # SQLAlchemy only warns of an option for a database that it does not know.
            raise Refused(f"{what} has {name}=, which sa.{kind} does not have. Correct the name, or leave it out.")


def table_of(name: str, *items: SchemaItem, **options: Any) -> Table:
    """The table of a definition; raises Refused as `refuse_options` does."""
    refuse_options(name, "Table", options)
    table = Table(name, MetaData(), *items, **options)
    own = [each for column in table.columns for each in (column.server_default, *column.constraints)]
    for each in (*own, *table.constraints):
        ddl.keep_colons(each)
    return table


def refuse_table(table: Table, target: Target, *, is_new: bool = True) -> None:
    """Raises Refused for an attribute of the table, its columns, constraints or indexes that would be lost."""
    if table.schema:
        raise _refused(table.name, "Table", "schema")
    prefixes = [each.upper() for each in table._prefixes if each.strip()]  # noqa: SLF001 - no public name
    if prefixes not in ([], [] if target.is_sqlite else ["UNLOGGED"]):
        raise _refused(table.name, "Table", "prefixes")
    refuse_options(table.name, "Table", table.dialect_kwargs)
    for column in table.columns:
        refuse_column(table.name, column, target)
        if is_new:
            refuse_types(table.name, column)
    for constraint in sorted(table.constraints, key=lambda each: str(each.name)):
        refuse_constraint(table.name, constraint, target)
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        refuse_index(table.name, index)


def refuse_column(table: str, column: Column[Any], target: Target) -> None:
    """Raises Refused for an attribute of the column that would be lost."""
    what = f"{table}.{column.name}"
    quote = getattr(column.name, "quote", None)
    key = None if column.key == column.name else column.key
    refuse_options(what, "Column", {"key": key, "system": column.system, "quote": quote} | dict(column.dialect_kwargs))
    collation = getattr(column.type.dialect_impl(ddl.dialect(target.dialect)), "collation", None)
    if target.is_sqlite and collation and collation.upper() not in _SQLITE_COLLATIONS:
        raise Refused(
            f"{what} has collation={collation!r}, and SQLite has {', '.join(_SQLITE_COLLATIONS)}. Give the type for "
            "SQLite with with_variant."
        )
    refuse_type(what, column, target)
    if isinstance(column.default, Sequence):
        raise Refused(
            f"{what} has an sa.Sequence, which no operation creates. Create it with ops.execute, and pass "
            f"server_default=sa.text(\"nextval('{column.default.name}')\")."
        )
    if column.identity is not None:
        _refuse_identity(what, column, column.identity, target)


def refuse_constraint(table: str, constraint: Constraint, target: Target) -> None:
    """Raises Refused for an attribute of the constraint that would be lost."""
    kind = _kind(constraint)
    what = f"{constraint.name or 'A constraint'} of {table}"
    given = {"deferrable": constraint.deferrable, "initially": constraint.initially}
    refuse_options(what, kind, given | dict(constraint.dialect_kwargs))
    if isinstance(constraint, ForeignKeyConstraint):
        _refuse_key(what, constraint, target)
    elif target.is_sqlite and isinstance(constraint, ExcludeConstraint):
        raise Refused(f"{what} is an EXCLUDE constraint, which SQLite has not. Create it with ops.execute.")
    elif target.is_sqlite and (constraint.deferrable or constraint.initially):
        name = "deferrable" if constraint.deferrable else "initially"
        raise Refused(f"{what} has {name}=: on SQLite only foreign keys can be DEFERRABLE. Leave it out.")


def refuse_index(table: str, index: Index) -> None:
    """Raises Refused for an attribute of the index that would be lost."""
    what = f"{index.name} of {table}"
    refuse_options(what, "Index", {"quote": getattr(index.name, "quote", None)} | dict(index.dialect_kwargs))
    keys = {getattr(each, "key", None) for each in index.expressions}
    if lost := [each for each in index.dialect_options["postgresql"]["ops"] if each not in keys]:
        raise Refused(
            f"{what} has postgresql_ops for {', '.join(map(str, lost))}, which is none of its columns. Name a column, "
            "or write the operator class into the expression."
        )


def _refuse_key(what: str, key: ForeignKeyConstraint, target: Target) -> None:
    refuse_options(what, "ForeignKeyConstraint", {"link_to_name": any(each.link_to_name for each in key.elements)})
    if any(each.target_fullname.count(".") > 1 for each in key.elements):
        raise Refused(f"{what} refers to {key.elements[0].target_fullname}: {_WHY['schema']}.")
    match = (key.match or "SIMPLE").upper()
    if match not in ("SIMPLE", "FULL"):
        raise _refused(what, "ForeignKeyConstraint", "match")
    if target.is_sqlite and match == "FULL":
        raise Refused(f"{what} has match='FULL', which SQLite ignores. Leave match= out.")
    for name, rule in (("ondelete", key.ondelete), ("onupdate", key.onupdate)):
        if target.is_sqlite and "(" in (rule or ""):
            raise Refused(f"{what} has {name}={rule!r}: SQLite sets all columns of the key. Leave the columns out.")


def _refuse_identity(what: str, column: Column[Any], identity: Identity, target: Target) -> None:
    # SQLAlchemy 2.1 keeps both among the options of Oracle's dialect, which `identity.on_null` would import.
    given = {**vars(identity), **getattr(identity, "dialect_kwargs", {})}
    refuse_options(
        what, "Identity", {name: given.get(f"oracle_{name}", given.get(name)) for name in ("on_null", "order")}
    )
    if not target.is_sqlite:
        return
    lost = [name for name in ("start", "increment") if getattr(identity, name) not in (None, 1)]
    lost += [name for name in ("minvalue", "maxvalue", "cycle") if getattr(identity, name)]
    if lost:
        raise Refused(f"{what} has an sa.Identity with {lost[0]}=, which SQLite has not. Leave it out.")
    is_rowid = column.primary_key and ddl.type_text(column, "sqlite") == "INTEGER"
    if not is_rowid or len(column.table.primary_key) > 1:
        raise Refused(
            f"{what} has an sa.Identity: on SQLite only an INTEGER PRIMARY KEY generates values. Use sa.Integer as the "
            "only column of the primary key, or leave the identity out."
        )


def _kind(constraint: Constraint) -> str:
    known = (CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, ExcludeConstraint)
    return next((each.__name__ for each in known if isinstance(constraint, each)), "UniqueConstraint")


def _refused(what: str, kind: str, name: str) -> Refused:
    return Refused(f"{what} has {name}= of sa.{kind}: {_WHY.get(name, _ELSE)}.")
