"""Drift: a difference between the catalog and the catalog that the last run stored, compared as lines of text."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from service.db.clock import now
from service.migrate.dialects.kept import once
from service.migrate.dialects.postgresql import objects as catalog_objects
from service.migrate.dialects.postgresql.definitions import as_restored
from service.migrate.dialects.sqlite.definition import Item, is_virtual, parse
from service.migrate.dialects.sqlite.tokens import join, normal_form
from service.migrate.state import ledger

_SQLITE = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema "
    "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
POSTGRESQL = catalog_objects.lines(catalog_objects.PARTS)
_NAMES = "|".join(("alembic_version", *sorted(ledger.TABLES)))
_OURS = re.compile(rf"\b(?:{_NAMES})")
# The same for PostgreSQL's regular expressions, in which scripts select the lines.
OURS_IN_SQL = rf"\m(?:{_NAMES})"


class CatalogObject(NamedTuple):
    """An object of the catalog; `line` is the line of `lines`, `definition` the text that the database has.

    `table` is empty for a function; a table, a view and a free sequence are their own.
    """

    kind: str
    table: str
    name: str
    definition: str
    line: str
    is_of_extension: bool = False


def lines(connection: Connection) -> list[str]:
    """One line for each column, constraint, index, trigger, function, view and sequence, sorted.

    The order of columns does not count. The tables of Alembic and of the ledger are left out, and so are partitions,
    which are created and dropped with the data and share the definition of their table.
    """
    if connection.dialect.name == "postgresql":
        found = [as_restored(line) for line in connection.exec_driver_sql(POSTGRESQL).scalars()]
    else:
        found = [each.line for row in connection.exec_driver_sql(_SQLITE) for each in _objects(*row)]
    return sorted(line for each in found if (line := _line(each)) is not None)


def objects(connection: Connection) -> list[CatalogObject]:
    """The objects that `lines` has a line for."""
    if connection.dialect.name == "postgresql":
        return described(connection, catalog_objects.PARTS)
    found = [each for row in connection.exec_driver_sql(_SQLITE) for each in _objects(*row)]
    return [each for each in found if not _OURS.search(each.line)]


def described(connection: Connection, parts: Sequence[catalog_objects.Part]) -> list[CatalogObject]:
    """The objects that these parts select from PostgreSQL's catalog, without those of Alembic and of the ledger."""
    found = []
    for kind, table, name, head, text, is_of_extension in connection.exec_driver_sql(catalog_objects.objects(parts)):
        definition = as_restored(text or "")
        line = _on_one_line(f"{head}{definition}")
        if not _OURS.search(line):
            found.append(CatalogObject(kind, table, name, definition, line, is_of_extension))
    return found


def keep(connection: Connection, before: Iterable[str] | None = None) -> None:
    """Store the catalog at the end of a run.

    With the catalog from `before` the run, only the changes of the run are stored, so that earlier drift is kept.
    """
    found, kept = set(lines(connection)), _kept(connection)
    if before is not None and kept is not None:
        was = set(before)
        found = (kept - (was - found)) | (found - was)
    if found == kept:
        return
    connection.execute(delete(ledger.CATALOG))
    values = {"id": 1, "lines": json.dumps(sorted(found)), "taken_at": now()}
    connection.execute(insert(ledger.CATALOG), values)


def drift(connection: Connection) -> list[str]:
    """The changes made by other means than migrations, as lines that begin with + or -.

    Empty while a run is active, whose changes are no drift.
    """
    return [] if ledger.active_run(connection) is not None else changes(connection)


def changes(connection: Connection, read: Callable[[], Iterable[str]] | None = None) -> list[str]:
    """The differences between the stored catalog and the present one, which `read` returns, as `drift` lists them."""
    return once(connection, "drift", lambda: _changes(connection, read or partial(lines, connection)))


def _changes(connection: Connection, read: Callable[[], Iterable[str]]) -> list[str]:
    kept = _kept(connection) if ledger.has_catalog(connection) else None
    if kept is None:
        return []
    found = set(read())
    return [*(f"- {line}" for line in sorted(kept - found)), *(f"+ {line}" for line in sorted(found - kept))]


def _kept(connection: Connection) -> set[str] | None:
    kept = connection.execute(select(ledger.CATALOG.c.lines)).scalar()
    return None if kept is None else set(map(as_restored, json.loads(kept)))


@lru_cache(maxsize=4096)
def _line(text: str) -> str | None:
    """The text on one line; `None` if it is about a table of Alembic or of the ledger."""
    # A run reads the catalog twice, and most lines stay.
    return None if _OURS.search(text) else _on_one_line(text)


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@lru_cache(maxsize=1024)
def _objects(kind: str, name: str, table: str, sql: str) -> tuple[CatalogObject, ...]:
    if kind != "table" or is_virtual(sql):
        text = normal_form(sql)
        return (CatalogObject(kind, table, name, sql, _on_one_line(f"{kind} {name} of {table}: {text}")),)
    definition = parse(sql, name)
    tail = normal_form(definition.tail)
    return (
        CatalogObject("table", name, name, tail, _on_one_line(f"table {name} {tail}")),
        *(_part(name, each) for each in definition.items),
    )


def _part(table: str, item: Item) -> CatalogObject:
    """A column, or a constraint, which may have no name but its text."""
    text = _item(item)
    line = _on_one_line(f"in {table}: {text}")
    if item.is_constraint:
        return CatalogObject("constraint", table, item.constraint_name or text, text, line)
    return CatalogObject("column", table, item.column.name, text, line)


def _item(item: Item) -> str:
    """The normal form of a constraint, or of a column with its clauses sorted, since their order has no meaning."""
    if item.is_constraint or not item.column.clauses:
        return normal_form(join(item.tokens))
    column = item.column
    clauses = sorted(normal_form(column.text_of(each)) for each in column.clauses)
    return " ".join([normal_form(join(column.tokens[: column.clauses[0].start])), *clauses])
