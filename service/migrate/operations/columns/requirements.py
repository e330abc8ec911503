"""Requirements of a column definition in a revision: safe to add, and equal to the column in the database."""

from typing import Any

from sqlalchemy import Column, Computed, Connection, Identity, MetaData, Table

from service.migrate.dialects import ddl, reflected
from service.migrate.dialects.comparison import type_of
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.column_types import refuse_types
from service.migrate.operations.columns import rewriting
from service.migrate.operations.preconditions import primary_key
from service.migrate.operations.step import CATALOG, Precondition
from service.migrate.operations.triggers.defaults import Defaults


def matches_definition(table: str, column: Column[Any]) -> Precondition:
    """The database's column has the nullability and the default of the revision's definition.

    A wrong definition would make inserts fail, or the downgrade would create a different column.
    """

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        name = f"{table}.{column.name}"
        there = reflected.columns(connection, table).get(reflected.folded(connection.dialect.name, column.name))
        if there is None:
            return []
        found = []
        if there["nullable"] is not column.nullable:
            found.append((dependents.may_be_null(name, is_so=there["nullable"]),))
        if not there["nullable"] and there.get("default") is None and column.server_default is not None:
            found.append((dependents.has_no_default(name),))
        return found

    why = f"The revision's definition of {table}.{column.name} differs from the database"
    return Precondition(why=why, rows=find, table=table, needs=(column.name,), script=CATALOG)


def defaults_agree(table: str, defaults: Defaults) -> tuple[Precondition, ...]:
    """A row that is inserted under neither name has one value under both."""
    needs = (defaults.old.name,)
    of_domains = _without_domain_defaults(table, defaults)
    if problem := defaults.problem():
        column = defaults.new if defaults.before is None else defaults.old
        found = [(f"{table}.{column.name}", problem)]
        why = f"An insert under neither name would store two values in {table}, by the default"
        cure = "Call ops.set_default in a revision before, so that both have none or the same"
        return (Precondition(why=why, rows=lambda _: list(found), table=table, needs=needs, cure=cure, script=CATALOG),)
    asked = defaults.difference()
    if asked is None:
        return of_domains
    why = f"The defaults of {table}.{defaults.old.name} and {table}.{defaults.new.name} have two values"
    cure = "Write the converted default, and change it by ops.set_default in a later revision"
    return (*of_domains, Precondition(why=why, rows=asked, table=table, needs=needs, cure=cure))


def _without_domain_defaults(table: str, defaults: Defaults) -> tuple[Precondition, ...]:
    """PostgreSQL: neither type is a domain with a default, which each of the two columns would evaluate."""
    if defaults.database == "sqlite":
        return ()
    kind = ddl.literal(type_of(defaults.new))
    asked = (
        "SELECT typname::text, typdefault FROM pg_type WHERE typtype = 'd' AND typdefault IS NOT NULL AND oid IN ("
        f"SELECT atttypid FROM pg_attribute WHERE attrelid = {ddl.regclass(table)} "
        f"AND attname = {ddl.literal(defaults.old.name)} UNION ALL SELECT to_regtype({kind}))"
    )
    why = f"{table}.{defaults.old.name} gets a default from a domain, and {defaults.new.name} would get another one"
    cure = "ALTER DOMAIN … DROP DEFAULT before, and give the columns the default"
    return (Precondition(why=why, rows=asked, table=table, needs=(defaults.old.name,), cure=cure),)


def no_nulls(table: str, column: str) -> Precondition:
    """No row has NULL in the column; a refusal names such rows by their keys."""

    def find(connection: Connection) -> str:
        key = primary_key(connection, table)
        return f"SELECT {key} FROM {ddl.quoted(table)} WHERE {ddl.quoted(column)} IS NULL ORDER BY {key}"

    nulls = f"SELECT 1 FROM {ddl.quoted(table)} WHERE {ddl.quoted(column)} IS NULL"
    why = f"{table}.{column} is NULL in some rows"
    return Precondition(why=why, rows=find, table=table, needs=(column,), script=nulls)


def refuse_own_values(table: str, column: Column[Any]) -> None:
    """Raises Refused for a generated column, an identity, a primary key or a volatile default."""
    what = f"{table}.{column.name}"
    if isinstance(column.computed, Computed) or isinstance(column.identity, Identity) or column.primary_key:
        raise Refused(
            f"{what} is generated, an identity or a primary key: PostgreSQL would rewrite the table under ACCESS "
            "EXCLUSIVE. Add a plain column, and compute its values with ops.Backfill."
        )
    default = ddl.default_text(column, "postgresql") or ""
    if rewriting.volatile_builtin(default):
        raise Refused(
            f"{what} has the volatile default {default}: PostgreSQL would rewrite the table under ACCESS EXCLUSIVE. "
            "Add the column without the default, then call ops.set_not_null(…, fill=…)."
        )


def refuse_own_constraints(table: str, column: Column[Any]) -> None:
    """Raises Refused for a column definition that includes a constraint, an index or a native enum."""
    what = f"{table}.{column.name}"
    owner = Table(table, MetaData(), column._copy())  # noqa: SLF001 - as dialects.ddl does
    plain = all(each is owner.primary_key for each in owner.constraints)
    if not plain or owner.indexes or column.constraints:
        raise Refused(
            f"{what} is declared with a constraint or an index, which would scan the table under a lock. Add the "
            "column alone, then call ops.add_check, add_unique, add_foreign_key or create_index."
        )
    refuse_types(table, column)
