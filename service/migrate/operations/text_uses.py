"""Uses of a column, a table or a function that stand only in text, which no dependency in the catalog records."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from sqlalchemy import Connection

from service.migrate.dialects import ddl
from service.migrate.dialects.postgresql.bodies import Body, Table
from service.migrate.dialects.postgresql.functions import arguments, functions, located
from service.migrate.dialects.postgresql.tokens import truncated
from service.migrate.dialects.sqlite import schema_copy
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.step import CATALOG, Precondition

# A use, and what calls it or why it counts.
Use = tuple[str, ...]

_KINDS = {"postgresql": ("function", "procedure", "trigger"), "sqlite": ("view", "virtual table", "trigger")}
_ALL_KINDS = tuple(dict.fromkeys(kind for kinds in _KINDS.values() for kind in kinds))
_CHECKED = re.compile(rf"({'|'.join(_ALL_KINDS)}) (.+)", re.DOTALL)
_NAMED = (
    "SELECT CASE prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END "
    "|| CASE WHEN pronamespace = quote_ident(current_schema())::regnamespace THEN '' ELSE nspname || '.' END "
    "|| proname "
    "FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace "
    "WHERE nspname NOT IN ('pg_catalog', 'information_schema') UNION SELECT 'trigger ' || tgname FROM pg_trigger"
)
_NAMED_ON_SQLITE = (
    "SELECT 'view ' || name FROM sqlite_schema WHERE type = 'view' "
    "UNION SELECT 'trigger ' || name FROM sqlite_schema WHERE type = 'trigger' "
    "UNION SELECT 'virtual table ' || name FROM pragma_table_list WHERE type = 'virtual'"
)
_CURE = 'Change or drop them, or list those that keep working: uses_checked=["{first}"]'
_PROBE = "_migration_probe"


def of_column(table: str, column: str, what: str, checked: Sequence[str] = ()) -> tuple[Precondition, ...]:
    """No function, trigger argument, view or virtual table may name the column in its text, but for those `checked`.

    `what` says what would fail, and `checked` are the names of uses as the message has them, without "the".

    Raises:
        Refused: a name in `checked` has no kind in front.
    """

    def find(connection: Connection) -> list[Use]:
        if connection.dialect.name == "sqlite":
            return [(use,) for use in _of_column_on_sqlite(connection, table, column)]
        name = truncated(column)
        return [
            *_found(connection, table, lambda body, of: body.names_column(of, name), with_unreadable=True),
            *_arguments(connection, table, name),
        ]

    return _preconditions(table, what, find, checked, needs=(column,))


def of_table(table: str, what: str, checked: Sequence[str] = ()) -> tuple[Precondition, ...]:
    """As `of_column`, for the name of a table, and for functions that take or return its rows."""

    def find(connection: Connection) -> list[Use]:
        if connection.dialect.name == "sqlite":
            return [(f"the virtual table {name}",) for name in schema_copy.virtual_over(connection, table)]
        return list(_found(connection, table, lambda body, of: body.takes_row or body.names_table(of)))

    return _preconditions(table, what, find, checked)


def of_shape(table: str, checked: Sequence[str] = ()) -> tuple[Precondition, ...]:
    """Nothing inserts whole rows of the table by the number of its columns: INSERT INTO log SELECT NEW.*."""

    def find(connection: Connection) -> list[Use]:
        if connection.dialect.name == "sqlite":
            added = f"ALTER TABLE {ddl.quoted(table)} ADD COLUMN {_PROBE}"
            return [(each,) for each in schema_copy.broken(connection, added)]
        return list(_found(connection, table, lambda body, of: body.inserts_row(of)))

    what = f"{table} cannot get another column, since these would fail with it"
    return _preconditions(table, what, find, checked)


def of_row_type(table: str, what: str, checked: Sequence[str] = ()) -> tuple[Precondition, ...]:
    """No function takes or returns rows of the table, and none does what a view in its place cannot, on PostgreSQL."""

    def find(connection: Connection) -> list[Use]:
        return list(_found(connection, table, lambda body, of: body.takes_row or body.needs_table(of)))

    return _preconditions(table, what, find, checked)


def of_function(function: str, what: str, checked: Sequence[str] = ()) -> tuple[Precondition, ...]:
    """No function calls this one in its text, on PostgreSQL."""

    def find(connection: Connection) -> list[Use]:
        if connection.dialect.name == "sqlite":
            return []
        name = truncated(function)
        return [
            (each.described,)
            for each in functions(connection, "")
            if each.name != name and each.is_readable and each.body.calls(name)
        ]

    return _preconditions("", what, find, checked)


def _preconditions(
    table: str,
    what: str,
    find: Callable[[Connection], list[Use]],
    checked: Sequence[str],
    needs: tuple[str, ...] = (),
) -> tuple[Precondition, ...]:
    for each in checked:
        if not _CHECKED.fullmatch(each):
            raise Refused(
                f"uses_checked has {each!r}, which does not begin with a kind ({', '.join(_ALL_KINDS)}). Write it as "
                'the refusal names the use, such as "function lower_mail".'
            )
    uses = Precondition(why=what, rows=find, table=table, needs=needs, cure=_CURE, script=CATALOG)
    if not checked:
        return (uses,)
    ignoring = frozenset(f"the {each}" for each in checked)
    return (_exist(table, checked, needs), replace(uses, ignoring=ignoring))


def _exist(table: str, checked: Sequence[str], needs: tuple[str, ...]) -> Precondition:
    """Each name in `checked` is one that the database has; the kinds of the other database do not count."""

    def find(connection: Connection) -> list[Use]:
        is_sqlite = connection.dialect.name == "sqlite"
        there = set(connection.exec_driver_sql(_NAMED_ON_SQLITE if is_sqlite else _NAMED).scalars())
        here = tuple(f"{kind} " for kind in _KINDS[connection.dialect.name])
        missing = [each for each in checked if each.startswith(here) and each not in there]
        return [
            (each, *(f"meant is perhaps {name}" for name in get_close_matches(each, there, n=1))) for each in missing
        ]

    why = f"uses_checked of {table} names what the database does not have" if table else "uses_checked is wrong"
    cure = "Correct or remove these names"
    return Precondition(why=why, rows=find, table=table, needs=needs, cure=cure, script=CATALOG)


def _found(
    connection: Connection, table: str, uses: Callable[[Body, Table], bool], *, with_unreadable: bool = False
) -> Iterator[Use]:
    of = located(connection, table)
    if of is None:
        return
    for function in functions(connection, table):
        triggers = [dependents.trigger(name) for name in function.body.triggers]
        if function.is_readable:
            if uses(function.body, of):
                # One row for each trigger: a revision that drops the trigger itself is no longer concerned.
                yield from (
                    ((function.described, trigger) for trigger in triggers) if triggers else [(function.described,)]
                )
        elif with_unreadable:
            note = f"which is written in {function.language} and cannot be read"
            yield from ((function.described, note, trigger) for trigger in triggers)


def _arguments(connection: Connection, table: str, column: str) -> Iterator[Use]:
    for name, given in arguments(connection, table):
        if column in given:
            yield (dependents.trigger(name), "which has the column as an argument")


def _of_column_on_sqlite(connection: Connection, table: str, column: str) -> Iterator[str]:
    renamed = f"ALTER TABLE {ddl.quoted(table)} RENAME COLUMN {ddl.quoted(column)} TO {_PROBE}"
    known = {row.name for row in schema_copy.rewritten(connection, renamed)}
    for view in schema_copy.renamed_columns(connection, renamed):
        if view not in known:
            yield f"the view {view}"
    yield from (f"the virtual table {name}" for name in schema_copy.virtual_over(connection, table, column))
