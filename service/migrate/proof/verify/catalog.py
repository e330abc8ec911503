"""What catalogs hold beside definitions: privileges, comments, policies, settings of tables and columns."""

import re

from sqlalchemy import Connection

from service.migrate.proof.diagram.reading import is_own

_HERE = "relnamespace = current_schema()::regnamespace AND NOT relispartition"
# Each row is a table, which may be the migrator's own, and a line.
_MORE = f"""
SELECT relname, format('table %I %s %s%s%s', relname, relkind,
  CASE relpersistence WHEN 'u' THEN 'unlogged ' ELSE '' END,
  CASE WHEN relrowsecurity THEN 'row security ' ELSE '' END,
  CASE WHEN relforcerowsecurity THEN 'forced ' ELSE '' END)
  || coalesce(array_to_string(reloptions, ' '), '') || ' replica identity ' || relreplident::text
FROM pg_class WHERE {_HERE} AND relkind IN ('r', 'p', 'f')
UNION ALL
SELECT relname, format('privileges of %I: %s', relname, acl) FROM pg_class, unnest(relacl) AS acl WHERE {_HERE}
UNION ALL
SELECT relname, format('privileges of %I.%I: %s', relname, attname, acl)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, unnest(attacl) AS acl WHERE {_HERE} AND NOT attisdropped
UNION ALL
SELECT relname, format('comment on %I%s: %s', relname, coalesce('.' || quote_ident(attname), ''), description)
FROM pg_description JOIN pg_class ON pg_class.oid = objoid AND classoid = 'pg_class'::regclass
LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0 WHERE {_HERE}
UNION ALL
SELECT relname, format('comment on constraint %I of %I: %s', conname, relname, description)
FROM pg_description JOIN pg_constraint ON pg_constraint.oid = objoid AND classoid = 'pg_constraint'::regclass
JOIN pg_class ON pg_class.oid = conrelid WHERE {_HERE}
UNION ALL
SELECT tablename, format('policy %s on %I: %s %s to %s using %s with check %s', policyname, tablename, permissive, cmd,
  roles, qual, with_check) FROM pg_policies WHERE schemaname = current_schema()
UNION ALL
SELECT relname, format('column %I.%I storage %s compression %s statistics %s options %s', relname, attname, attstorage,
  attcompression, attstattarget, attoptions)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE {_HERE} AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname, format('statistics %s', pg_get_statisticsobjdef(pg_statistic_ext.oid))
FROM pg_statistic_ext JOIN pg_class ON pg_class.oid = stxrelid WHERE {_HERE}
UNION ALL
SELECT relname, format('publication %I of %I', pubname, relname)
FROM pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid JOIN pg_class ON pg_class.oid = prrelid
WHERE {_HERE}
UNION ALL
SELECT relname, format('rule %s', pg_get_ruledef(pg_rewrite.oid))
FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE {_HERE} AND rulename <> '_RETURN'
UNION ALL
SELECT proname, format('privileges of function %I: %s', proname, acl)
FROM pg_proc, unnest(proacl) AS acl WHERE pronamespace = current_schema()::regnamespace
UNION ALL
SELECT typname, format('type %I %s', typname, coalesce((
  SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid),
  format_type(typbasetype, typtypmod)))
FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')
"""


def more_lines(connection: Connection) -> list[str]:
    """One line for each, sorted; none on SQLite, whose definitions say all."""
    if connection.dialect.name != "postgresql":
        return []
    rows = connection.exec_driver_sql(_MORE).all()
    return sorted(re.sub(r"\s+", " ", line).strip() for table, line in rows if not is_own(table))
