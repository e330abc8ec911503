"""The objects of PostgreSQL's current schema as lines of text, and each with its kind, table and name."""

from collections.abc import Sequence
from typing import NamedTuple

# A subquery, so that PostgreSQL computes the schema once and not for each row.
_HERE = "(SELECT quote_ident(current_schema())::regnamespace)"
# Partitions are created and dropped with the data, and share the definition of their table.
NO_PARTITION = "NOT EXISTS (SELECT FROM pg_class WHERE pg_class.oid = {} AND relispartition)"


class Part(NamedTuple):
    """One SELECT of objects: `head` and `definition` make the line; `oid` of `catalog` may belong to an extension."""

    kind: str
    table: str
    name: str
    head: str
    definition: str
    rows: str
    oid: str
    catalog: str = "pg_class"


COLUMN_TYPE = (
    "format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END"
    " || CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END"
    " || CASE a.attgenerated WHEN 's' THEN ' stored' WHEN 'v' THEN ' virtual' ELSE '' END"
    " || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || coalesce(' collate ' || o.collname, '')"
)
PARTS = (
    Part(
        "column",
        "c.relname",
        "a.attname",
        "'column ' || c.relname || '.' || a.attname || ' '",
        COLUMN_TYPE,
        "pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum) "
        "LEFT JOIN pg_collation o ON o.oid = a.attcollation "
        f"WHERE c.relnamespace = {_HERE} AND c.relkind IN ('r', 'v', 'p') "
        "AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped",
        "c.oid",
    ),
    Part(
        "constraint",
        "conrelid::regclass",
        "conname",
        "'constraint ' || conrelid::regclass || ' ' || conname || ' '",
        "pg_get_constraintdef(oid)",
        f"pg_constraint WHERE connamespace = {_HERE} AND {NO_PARTITION.format('conrelid')}",
        "conrelid",
    ),
    Part(
        "index",
        "indrelid::regclass",
        "c.relname",
        "'index '",
        "pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END",
        "pg_index JOIN pg_class c ON c.oid = indexrelid "
        f"WHERE c.relnamespace = {_HERE} AND {NO_PARTITION.format('indrelid')}",
        "indrelid",
    ),
    Part(
        "trigger",
        "c.relname",
        "tgname",
        "'trigger '",
        "pg_get_triggerdef(t.oid) || CASE tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || tgenabled::text END",
        "pg_trigger t JOIN pg_class c ON c.oid = tgrelid "
        f"WHERE NOT tgisinternal AND c.relnamespace = {_HERE} "
        "AND NOT c.relispartition",
        "c.oid",
    ),
    Part(
        "function",
        "''",
        "oid::regprocedure",
        "'function '",
        "pg_get_functiondef(oid)",
        f"pg_proc WHERE pronamespace = {_HERE} AND prokind <> 'a'",
        "oid",
        "pg_proc",
    ),
    Part(
        "view",
        "relname",
        "relname",
        "'view ' || relname || ' '",
        "pg_get_viewdef(oid)",
        f"pg_class WHERE relkind = 'v' AND relnamespace = {_HERE}",
        "oid",
    ),
    Part(
        "sequence",
        "coalesce(refobjid::regclass::text, relname)",
        "relname",
        "'sequence ' || relname || ' '",
        "format_type(seqtypid, NULL) || coalesce(' of ' || refobjid::regclass, '')",
        "pg_class c JOIN pg_sequence ON seqrelid = c.oid "
        "LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND deptype IN ('a', 'i') "
        f"WHERE relnamespace = {_HERE}",
        "c.oid",
    ),
)


def lines(parts: Sequence[Part]) -> str:
    """The SELECT of one line for each object."""
    return "\nUNION ALL\n".join(f"SELECT {each.head} || {each.definition} AS line\nFROM {each.rows}" for each in parts)


def objects(parts: Sequence[Part]) -> str:
    """The SELECT of kind, table, name, head, definition, and whether the object belongs to an extension."""
    return "\nUNION ALL\n".join(
        f"SELECT '{each.kind}', ({each.table})::text, ({each.name})::text, {each.head}, {each.definition},\n"
        f"EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.classid = '{each.catalog}'::regclass "
        f"AND e.objid = {each.oid})\nFROM {each.rows}"
        for each in parts
    )
