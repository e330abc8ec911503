"""What a database's catalog says, in a form that two equal schemas share: order of columns aside, all of it."""

import re

from service.migrate.sqlite.definition import parse
from service.migrate.sqlite.tokens import join, normal_form
from tests.alembic.store import Row, Store

SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
POSTGRESQL = """
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' ' || a.attidentity::text || a.attgenerated::text
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || coalesce(' collate ' || o.collname, '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || convalidated
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || pg_get_indexdef(indexrelid) || indisvalid
FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'view ' || viewname || definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'sequence ' || sequencename || data_type::text FROM pg_sequences WHERE schemaname = 'public'
"""


async def catalog(store: Store) -> list[str]:
    """Return one line per column, constraint, index, trigger and function; Alembic's own table left out."""
    if store.backend == "postgresql":
        lines = [next(iter(row.values())) for row in await store.execute(POSTGRESQL)]
    else:
        lines = [line for row in await store.execute(SQLITE) for line in _lines(row)]
    return sorted(re.sub(r"\s+", " ", line) for line in lines if "alembic_version" not in line)


def _lines(row: Row) -> list[str]:
    if row["type"] != "table":
        return [f"{row['type']} {row['name']} of {row['tbl_name']}: {normal_form(row['sql'])}"]
    definition = parse(row["sql"], row["name"])
    items = [f"in {row['name']}: {normal_form(join(item.tokens))}" for item in definition.items]
    return [f"table {row['name']} {normal_form(definition.tail)}", *items]
