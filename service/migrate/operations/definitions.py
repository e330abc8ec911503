"""What an index or a constraint is: its definition in the database, compared with the revision's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from service.migrate.dialects.postgresql import definitions
from service.migrate.dialects.reflected import folded
from service.migrate.dialects.sqlite import catalog, comparing
from service.migrate.dialects.sqlite.definition import parse
from service.migrate.dialects.sqlite.tokens import lowered, normal_form
from service.migrate.operations import dependents
from service.migrate.operations.step import CATALOG, Precondition, Target

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Same(Precondition):
    """What has the name already is defined as the revision says, or nothing has the name."""


def of_rows(checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
    """The checks of rows: before an undo, what has the name is still what took its place."""
    return tuple(check for check in checks if not isinstance(check, Same))


def same_index(
    target: Target,
    table: str,
    name: str,
    statement: str,
    *,
    comment: str | None = None,
    drops: bool = False,
    keeps_comment: bool = False,
) -> Same:
    """The index of this name is the one that the statement creates; one that is dropped has the comment, too."""

    def on_sqlite(connection: Connection) -> Rows:
        asked = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        rows = connection.exec_driver_sql(asked).all()
        found = next((row.sql for row in rows if lowered(row.name) == lowered(name)), None)
        if found is None or comparing.comparable(found) == comparing.comparable(statement):
            return []
        return [(dependents.index(name), f"there is `{found}`", f"the revision says `{statement}`")]

    def on_postgresql(connection: Connection) -> Rows:
        found = _relation(connection, table, name, statement)
        there = definitions.index_comment(connection, name) if drops and not keeps_comment else comment
        found = found or _commented(dependents.index(name), there, comment)
        return found or (_marked(connection, name) if drops else [])

    return _check(name, on_sqlite if target.is_sqlite else on_postgresql, drops=drops)


def same_unique(
    target: Target,
    table: str,
    name: str,
    clause: str,
    statement: str,
    *,
    comment: str | None = None,
    drops: bool = False,
) -> Same:
    """The unique constraint of this name is this clause, or its index, built by the statement, is all there is yet."""
    constraint = same_constraint(target, table, name, clause, comment=comment, drops=drops)

    def find(connection: Connection) -> Rows:
        found = _rows(constraint, connection)
        if drops and not found and not target.is_sqlite:
            found = _commented(dependents.index(name), definitions.index_comment(connection, name), None)
            found = found or _marked(connection, name)
        if found or target.is_sqlite or definitions.constraint(connection, table, name) is not None:
            return found
        return [] if drops else _relation(connection, table, name, statement)

    return _check(name, find, drops=drops)


def same_constraint(
    target: Target,
    table: str,
    name: str,
    clause: str,
    *,
    statement: str | None = None,
    comment: str | None = None,
    drops: bool = False,
) -> Same:
    """The constraint of this name is this clause; PostgreSQL writes that of a `statement` in its own way.

    One that is dropped has the comment, too.
    """

    def on_sqlite(connection: Connection) -> Rows:
        sql = catalog.definition_text(connection, table)
        found = None if sql is None else comparing.constraint(parse(sql, table), name)
        if found is None or comparing.comparable(found) == comparing.comparable(clause):
            return []
        return [_differs(table, name, found, clause)]

    def on_postgresql(connection: Connection) -> Rows:
        found = definitions.constraint(connection, table, name)
        if found is None:
            return []
        wanted = clause
        if statement is not None:
            wanted = definitions.declared_constraint(connection, table, name, statement) or clause
        # A constraint that is not valid yet is validated; one that is to be dropped would come back valid.
        pair = (found, wanted) if drops else (_validated(found), _validated(wanted))
        if _form(pair[0]) == _form(pair[1]):
            there = definitions.constraint_comment(connection, table, name) if drops else comment
            return _commented(dependents.constraint(table, name), there, comment)
        return [_differs(table, name, found, wanted)]

    return _check(name, on_sqlite if target.is_sqlite else on_postgresql, drops=drops)


def _form(definition: str) -> str:
    """One text for a CHECK as it was created, and as PostgreSQL writes it again when it reads its own text."""
    return normal_form(definitions.as_restored(definition))


def _relation(connection: Connection, table: str, name: str, statement: str) -> Rows:
    """What has the name of an index and is another index, or no index."""
    found = definitions.relation(connection, name)
    if found is None or (found.is_invalid and found.table == folded("postgresql", table)):
        return []
    if found.text is None:
        return [(f"the relation {name}", "which is no index")]
    thing = dependents.constraint(str(found.table), found.constraint) if found.constraint else dependents.index(name)
    wanted = definitions.declared_index(connection, table, name, statement) or statement
    if found.table == folded("postgresql", table) and normal_form(found.text) == normal_form(wanted):
        return []
    return [(thing, f"there is `{found.text}` on {found.table}", f"the revision says `{wanted}` on {table}")]


def _check(name: str, find: Callable[[Connection], Rows], *, drops: bool) -> Same:
    if drops:
        why = f"The revision's definition of {name} differs from the database"
        cure = "Correct the definition, with which an undo makes it again, or remove what it cannot state"
        return Same(why=why, rows=find, cure=cure, script=CATALOG)
    why = f"{name} exists already, with another definition"
    return Same(why=why, rows=find, cure="Use another name, or replace it", script=CATALOG)


def _rows(check: Precondition, connection: Connection) -> Rows:
    assert callable(check.rows)  # noqa: S101 - as `_check` makes it
    found = check.rows(connection)
    assert isinstance(found, list)  # noqa: S101 - as above
    return found


def _commented(thing: str, there: str | None, declared: str | None) -> Rows:
    if there == declared:
        return []
    return [(thing, f"there is the comment {there!r}", f"the revision says comment={declared!r}")]


def _marked(connection: Connection, name: str) -> Rows:
    return [(dependents.index(name), f"which {mark}") for mark in definitions.index_marks(connection, name)]


def _differs(table: str, name: str, found: str, wanted: str) -> tuple[str, ...]:
    return (dependents.constraint(table, name), f"there is `{found}`", f"the revision says `{wanted}`")


def _validated(definition: str) -> str:
    return definition.removesuffix(" NOT VALID")
