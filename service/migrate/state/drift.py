"""Drift: a difference between the catalog and the catalog that the last run stored, compared as lines of text."""

import json
import re
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, inspect, select

from service.db.clock import now
from service.migrate.dialects.sqlite.definition import Item, is_virtual, parse
from service.migrate.dialects.sqlite.tokens import join, normal_form
from service.migrate.state import ledger

_SQLITE = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema "
    "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
POSTGRESQL = """
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END
       || CASE a.attgenerated WHEN 's' THEN ' stored' WHEN 'v' THEN ' virtual' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || coalesce(' collate ' || o.collname, '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_class WHERE pg_class.oid = conrelid AND relispartition)
UNION ALL
SELECT 'index ' || pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END
FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_class WHERE pg_class.oid = indrelid AND relispartition)
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(t.oid) || CASE tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || tgenabled::text END
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition
UNION ALL
SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prokind <> 'a'
UNION ALL SELECT 'view ' || viewname || ' ' || definition FROM pg_views WHERE schemaname = current_schema()
UNION ALL
SELECT 'sequence ' || relname || ' ' || format_type(seqtypid, NULL) || coalesce(' of ' || refobjid::regclass, '')
FROM pg_class c JOIN pg_sequence ON seqrelid = c.oid
LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
WHERE relnamespace = current_schema()::regnamespace
"""
# `varchar_column IN ('a', 'b')` as it is created; a restored dump has the cast on each element instead.
_CAST_ARRAY = re.compile(r"\(ARRAY\[('(?:[^']|'')*'::[a-z ]+(?:, '(?:[^']|'')*'::[a-z ]+)*)\]\)::text\[\]")
_ELEMENT = re.compile(r"'(?:[^']|'')*'::[a-z ]+")
_NAMES = "|".join(("alembic_version", *sorted(ledger.TABLES)))
_OURS = re.compile(rf"\b(?:{_NAMES})")
# The same for PostgreSQL's regular expressions, in which scripts select the lines.
OURS_IN_SQL = rf"\m(?:{_NAMES})"


def lines(connection: Connection) -> list[str]:
    """One line for each column, constraint, index, trigger, function, view and sequence, sorted.

    The order of columns does not count. The tables of Alembic and of the ledger are left out, and so are partitions,
    which are created and dropped with the data and share the definition of their table.
    """
    if connection.dialect.name == "postgresql":
        found = [_as_restored(line) for line in connection.exec_driver_sql(POSTGRESQL).scalars()]
    else:
        found = [line for row in connection.exec_driver_sql(_SQLITE) for line in _lines(*row)]
    return sorted(re.sub(r"\s+", " ", line) for line in found if not _OURS.search(line))


def keep(connection: Connection, before: Iterable[str] | None = None) -> None:
    """Store the catalog at the end of a run.

    With the catalog from `before` the run, only the changes of the run are stored, so that earlier drift is kept.
    """
    found, kept = set(lines(connection)), _kept(connection)
    if before is not None and kept is not None:
        was = set(before)
        found = (kept - (was - found)) | (found - was)
    connection.execute(delete(ledger.CATALOG))
    values = {"id": 1, "lines": json.dumps(sorted(found)), "taken_at": now()}
    connection.execute(insert(ledger.CATALOG), values)


def drift(connection: Connection) -> list[str]:
    """The changes made by other means than migrations, as lines that begin with + or -.

    Empty while a run is active, whose changes are no drift.
    """
    return [] if ledger.active_run(connection) is not None else changes(connection)


def changes(connection: Connection) -> list[str]:
    """The differences between the stored catalog and the present one, as `drift` lists them."""
    kept = _kept(connection) if inspect(connection).has_table(ledger.CATALOG.name) else None
    if kept is None:
        return []
    found = set(lines(connection))
    return [*(f"- {line}" for line in sorted(kept - found)), *(f"+ {line}" for line in sorted(found - kept))]


def _kept(connection: Connection) -> set[str] | None:
    kept = connection.execute(select(ledger.CATALOG.c.lines)).scalar()
    return None if kept is None else set(map(_as_restored, json.loads(kept)))


def _as_restored(line: str) -> str:
    """The line as it is after a dump and a restore, which keep the meaning of a CHECK and not its text."""
    return _CAST_ARRAY.sub(lambda array: f"ARRAY[{_ELEMENT.sub(lambda each: f'({each[0]})::text', array[1])}]", line)


def _lines(kind: str, name: str, table: str, sql: str) -> list[str]:
    if kind != "table" or is_virtual(sql):
        return [f"{kind} {name} of {table}: {normal_form(sql)}"]
    definition = parse(sql, name)
    items = [f"in {name}: {_item(each)}" for each in definition.items]
    return [f"table {name} {normal_form(definition.tail)}", *items]


def _item(item: Item) -> str:
    """The normal form of a constraint, or of a column with its clauses sorted, since their order has no meaning."""
    if item.is_constraint or not item.column.clauses:
        return normal_form(join(item.tokens))
    column = item.column
    clauses = sorted(normal_form(column.text_of(each)) for each in column.clauses)
    return " ".join([normal_form(join(column.tokens[: column.clauses[0].start])), *clauses])
