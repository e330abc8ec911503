"""Types, collations, operators, aggregates and text search configurations of PostgreSQL's current schema."""

from service.migrate.dialects.postgresql.objects import Part

_ATTRIBUTES = (
    "(SELECT 'composite ' || string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY"
    " attnum) FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped)"
)
_LABELS = "(SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid)"
_DOMAIN = (
    "format_type(typbasetype, typtypmod) || coalesce(' collate ' || (SELECT nullif(collname, 'default')"
    " FROM pg_collation WHERE pg_collation.oid = typcollation), '')"
    " || CASE WHEN typnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || typdefault, '')"
)
_RANGE = (
    "(SELECT format('range of %s canonical %s difference %s', rngsubtype::regtype, rngcanonical, rngsubdiff)"
    " FROM pg_range WHERE rngtypid = pg_type.oid)"
)


def _here(column: str) -> str:
    return f"{column} = quote_ident(current_schema())::regnamespace"


TYPES = (
    Part(
        "type",
        "typname",
        "typname",
        "format('type %I ', typname)",
        f"CASE typtype WHEN 'e' THEN {_LABELS} WHEN 'd' THEN {_DOMAIN} WHEN 'c' THEN {_ATTRIBUTES}"
        f" WHEN 'r' THEN {_RANGE} ELSE 'base' END",
        f"pg_type WHERE {_here('typnamespace')} AND (typtype IN ('e', 'd', 'r') OR (typtype IN ('b', 'p')"
        " AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid)) OR (typtype = 'c'"
        " AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c')))",
        "oid",
        "pg_type",
    ),
    Part(
        "collation",
        "''",
        "collname",
        "format('collation %I ', collname)",
        # Columns differ between versions of PostgreSQL.
        "(to_jsonb(pg_collation) - 'oid' - 'collnamespace' - 'collowner' - 'collversion')::text",
        f"pg_collation WHERE {_here('collnamespace')}",
        "oid",
        "pg_collation",
    ),
    Part(
        "operator",
        "''",
        "oid::regoperator",
        "format('operator %s ', oid::regoperator)",
        "format('function %s restrict %s join %s commutator %s', oprcode, oprrest, oprjoin, oprcom::regoperator)",
        f"pg_operator WHERE {_here('oprnamespace')}",
        "oid",
        "pg_operator",
    ),
    Part(
        "operator class",
        "''",
        "opcname",
        "format('operator class %I ', opcname)",
        "format('for %s using %s default %s', opcintype::regtype, (SELECT amname FROM pg_am"
        " WHERE pg_am.oid = opcmethod), opcdefault)",
        f"pg_opclass WHERE {_here('opcnamespace')}",
        "oid",
        "pg_opclass",
    ),
    Part(
        "aggregate",
        "''",
        "pg_proc.oid::regprocedure",
        "format('aggregate %s ', pg_proc.oid::regprocedure)",
        "format('state %s by %s from %s final %s parallel %s', aggtranstype::regtype, aggtransfn, agginitval,"
        " aggfinalfn, proparallel)",
        f"pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid WHERE {_here('pronamespace')}",
        "pg_proc.oid",
        "pg_proc",
    ),
    Part(
        "text search configuration",
        "''",
        "cfgname",
        "format('text search configuration %I ', cfgname)",
        "(SELECT string_agg(format('%s %s', maptokentype, mapdict::regdictionary), ', ' ORDER BY maptokentype,"
        " mapseqno) FROM pg_ts_config_map WHERE mapcfg = pg_ts_config.oid)",
        f"pg_ts_config WHERE {_here('cfgnamespace')}",
        "oid",
        "pg_ts_config",
    ),
    Part(
        "text search dictionary",
        "''",
        "dictname",
        "format('text search dictionary %I ', dictname)",
        "concat_ws(' ', (SELECT tmplname FROM pg_ts_template WHERE pg_ts_template.oid = dicttemplate), dictinitoption)",
        f"pg_ts_dict WHERE {_here('dictnamespace')}",
        "oid",
        "pg_ts_dict",
    ),
)
