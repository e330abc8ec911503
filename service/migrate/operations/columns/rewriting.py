"""Whether PostgreSQL would rewrite a table to add a column: its own answer, from the column added to an empty table."""

import re
from typing import Any

from sqlalchemy import Column, Connection
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import DBAPIError

from service.db.failures import sqlstate
from service.migrate.dialects import ddl
from service.migrate.dialects.postgresql.tokens import Token, tokenize
from service.migrate.errors import reason
from service.migrate.operations.step import Precondition, Target

_PROBE = "_migration_probe"
_FILE = f"SELECT pg_relation_filenode('{_PROBE}'::regclass)"
# The function, type, table or schema may be made by an earlier step.
_NOT_THERE_YET = ("42883", "42704", "42P01", "3F000")
_NO_PRIVILEGE = "42501"
_CONSTANT = re.compile(r"'(?:[^']|'')*'(?:::[\w ()]+)?|[-+]?[\d.]+|true|false|null|current_\w+|now\(\)", re.IGNORECASE)
# Built-in functions of which each row gets another value, in any database.
_VOLATILE = frozenset(
    (
        *("random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval", "lastval", "setval"),
        *("clock_timestamp", "timeofday"),
        *("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_bytes"),
    )
)


def volatile_builtin(default: str) -> str | None:
    """The built-in function of the default that is volatile in any database; `None` without one."""
    return next((name for schema, name in _calls(default) if schema in ("", "pg_catalog") and name in _VOLATILE), None)


def adds_without_rewrite(
    target: Target, table: str, column: Column[Any], *, is_filled: bool = False
) -> tuple[Precondition, ...]:
    """PostgreSQL adds the column in its catalog alone; nothing to ask for a constant default and a built-in type.

    With `is_filled` the column is added nullable and without its default, for a backfill.
    """
    if target.is_sqlite:
        return ()
    if is_filled:
        column = column._copy()  # noqa: SLF001 - as dialects.ddl does
        column.nullable, column.server_default = True, None
    default = ddl.default_text(column, "postgresql")
    is_constant = default is None or _CONSTANT.fullmatch(default)
    if is_constant and _is_built_in(column):
        return ()
    text, by_name = ddl.column_text(column, "postgresql"), _by_name(column, default or "")

    def find(connection: Connection) -> list[tuple[Any, ...]] | str:
        return [] if connection.dialect.name == "sqlite" else _answer(connection, text, by_name)

    return (
        Precondition(
            why=f"{table}.{column.name} cannot be added",
            rows=find,
            table=table,
            cure="For a volatile default add the column without it; for a domain with a constraint use the base type "
            "and ops.add_check. Then call ops.set_not_null(…, fill=…) or write a backfill",
            script=by_name,
        ),
    )


def _answer(connection: Connection, text: str, by_name: str) -> list[tuple[Any, ...]] | str:
    """Why PostgreSQL does not add the column in its catalog alone; a SELECT for a role without temporary tables."""
    trial = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} (probe integer)")
        before = connection.exec_driver_sql(_FILE).scalar()
        connection.exec_driver_sql(f"ALTER TABLE {_PROBE} ADD COLUMN {text}")
        rewrites = connection.exec_driver_sql(_FILE).scalar() != before
        return [(f"{text} would rewrite the table under ACCESS EXCLUSIVE",)] if rewrites else []
    except DBAPIError as failure:
        code = sqlstate(failure)
        if code == _NO_PRIVILEGE:
            return by_name
        return [] if code in _NOT_THERE_YET else [(f"PostgreSQL rejects {text}: {reason(failure)}",)]
    finally:
        trial.rollback()


def _is_built_in(column: Column[Any]) -> bool:
    kind = column.type.dialect_impl(ddl.dialect("postgresql"))
    return type(kind).__module__.startswith("sqlalchemy.") and not isinstance(kind, DOMAIN)


def _by_name(column: Column[Any], default: str) -> str:
    """A SELECT of the volatile functions and constrained domains that the definition names."""
    called = ", ".join(ddl.literal(name) for _, name in _calls(default)) or "''"
    kind = re.sub(r" COLLATE .*", "", ddl.type_text(column, "postgresql"))
    return (
        f"SELECT proname::text AS found FROM pg_proc WHERE proname IN ({called}) AND provolatile = 'v' "
        f"UNION ALL SELECT typname FROM pg_type WHERE oid = to_regtype({ddl.literal(kind)}) AND typtype = 'd' "
        "AND (typnotnull OR EXISTS (SELECT FROM pg_constraint WHERE contypid = pg_type.oid)) ORDER BY 1"
    )


def _calls(default: str) -> list[tuple[str, str]]:
    """The schema, or nothing, and the name of each function that the expression calls."""
    tokens = [Token("mark", ""), Token("mark", ""), *tokenize(default)]
    return [
        (tokens[at - 2].name if tokens[at - 1].text == "." else "", tokens[at].name)
        for at in range(2, len(tokens) - 1)
        if tokens[at].name and tokens[at + 1].text == "("
    ]
