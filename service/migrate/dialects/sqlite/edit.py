"""Edits of table definitions; consecutive edits of one table are one rebuild."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection

from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.rebuild import rebuild
from service.migrate.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of a table's definition; `losing` is the column that it drops."""

    table: str
    change: Callable[[Definition], Definition]
    losing: str | None = None


def edit(connection: Connection, edits: Iterable[Edit]) -> None:
    """Change the definitions of tables, in the open transaction.

    Raises:
        Refused: the table does not exist, an index uses the dropped column, or as `rebuild`.
    """
    for table, changes in groupby(edits, lambda each: each.table):
        before = catalog.stored(connection, table)
        after = before.definition
        for each in changes:
            if each.losing is not None:
                _refuse_indexed(before, each.losing)
            after = each.change(after)
        rebuild(connection, before, after)


def _refuse_indexed(table: catalog.Stored, column: str) -> None:
    for name, sql in table.indexes.items():
        if catalog.index_uses(sql, column):
            raise Refused(f"{table.name}.{column} cannot be dropped before the index {name}, which depends on it.")
