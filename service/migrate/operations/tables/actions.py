"""Steps and statements that several operations on tables share."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.tokens import spelled
from service.migrate.operations.step import Lock, Step, Target


def rename_table(name: str, to: str) -> str:
    return f"ALTER TABLE {ddl.quoted(name)} RENAME TO {ddl.quoted(to)}"


def renamed(target: Target, name: str, to: str) -> dict[str, Any]:
    """The statements of a step that moves a table to the trash or from it: on SQLite its name keeps its spelling."""
    if not target.is_sqlite:
        return {"statements": (rename_table(name, to),)}

    def generate(connection: Connection) -> Iterable[str]:
        there = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").scalars()
        return [rename_table(*spelled(there, name, to))]

    return {"generate": generate}


def dropped(target: Target, name: str) -> Step:
    return Step(
        title=f"DROP TABLE {name}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
        done=predicates.negated(predicates.has_table(target.dialect, name)),
        statements=(f"DROP TABLE IF EXISTS {ddl.quoted(name)}",),
    )
