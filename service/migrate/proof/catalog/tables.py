"""Attributes of PostgreSQL's tables, columns, indexes and sequences, and their partitions, that no definition says."""

from service.migrate.dialects.postgresql.objects import Part

HERE = "relnamespace = quote_ident(current_schema())::regnamespace"
ATTRIBUTE = "pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
_TABLES = f"{HERE} AND relkind IN ('r', 'p', 'f')"
_PARENT = "pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
_INDEX_NAME = "(SELECT indexrelid::regclass FROM pg_index WHERE indrelid = pg_class.oid AND {})"

TABLES = (
    Part(
        "table",
        "relname",
        "relname",
        "format('table %I ', relname)",
        "concat_ws(' ', CASE relkind WHEN 'r' THEN 'ordinary' WHEN 'p' THEN 'partitioned by '"
        " || pg_get_partkeydef(pg_class.oid) ELSE 'foreign' END,"
        " CASE relpersistence WHEN 'u' THEN 'unlogged' END, CASE WHEN relrowsecurity THEN 'row security' END,"
        " CASE WHEN relforcerowsecurity THEN 'forced' END, array_to_string(reloptions, ' '),"
        " (SELECT 'toast ' || array_to_string(t.reloptions, ' ') FROM pg_class t WHERE t.oid = pg_class.reltoastrelid),"
        " 'of ' || nullif(reloftype, 0)::regtype, 'using ' || (SELECT nullif(amname, 'heap') FROM pg_am"
        " WHERE pg_am.oid = relam), 'replica identity ' || relreplident::text,"
        f" {_INDEX_NAME.format('indisreplident')}, 'clustered on ' || {_INDEX_NAME.format('indisclustered')},"
        " (SELECT format('server %s options %s', srvname, ftoptions) FROM pg_foreign_table"
        " JOIN pg_foreign_server s ON s.oid = ftserver WHERE ftrelid = pg_class.oid))",
        f"pg_class WHERE {_TABLES}",
        "oid",
    ),
    Part(
        "inheritance",
        "relname",
        "inhparent::regclass",
        "format('table %I inherits ', relname)",
        "inhparent::regclass::text",
        f"{_PARENT} WHERE {_TABLES} AND NOT relispartition",
        "inhrelid",
    ),
    Part(
        "partition",
        "inhparent::regclass",
        "relname",
        "format('partition %I of %s ', relname, inhparent::regclass)",
        "pg_get_expr(relpartbound, inhrelid) || CASE WHEN inhdetachpending THEN ' detach pending' ELSE '' END",
        f"{_PARENT} WHERE {_TABLES} AND relispartition",
        "inhrelid",
    ),
    # A partition's own: what it does not have from its table.
    Part(
        "column",
        "relname",
        "attname",
        "format('column %I.%I ', relname, attname)",
        "concat_ws(' ', CASE WHEN attnotnull THEN 'not null' END, 'default ' || pg_get_expr(adbin, adrelid))",
        f"{ATTRIBUTE} LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum) "
        f"WHERE {_TABLES} AND relispartition AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        "attrelid",
    ),
    Part(
        "constraint",
        "relname",
        "conname",
        "format('constraint %I of %I ', conname, relname)",
        "pg_get_constraintdef(pg_constraint.oid)",
        "pg_constraint JOIN pg_class ON pg_class.oid = conrelid "
        f"WHERE {_TABLES} AND relispartition AND conislocal AND coninhcount = 0 AND contype <> 't'",
        "conrelid",
    ),
    Part(
        "index",
        "relname",
        "indexrelid::regclass",
        "'index '",
        "pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END",
        f"pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE {_TABLES} AND relispartition "
        "AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)",
        "indrelid",
    ),
    Part(
        "trigger",
        "relname",
        "tgname",
        "'trigger '",
        "pg_get_triggerdef(t.oid) || CASE tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || tgenabled::text END",
        "pg_trigger t JOIN pg_class ON pg_class.oid = tgrelid "
        f"WHERE NOT tgisinternal AND {_TABLES} AND relispartition AND (tgparentid = 0 OR tgenabled <> 'O')",
        "tgrelid",
    ),
    Part(
        "trigger",
        "relname",
        "format('%s of %s', conname, tgfoid::regproc)",
        "format('trigger of constraint %I on %I: %s enabled ', conname, relname, tgfoid::regproc)",
        "tgenabled::text",
        "pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_constraint ON pg_constraint.oid = tgconstraint "
        f"WHERE tgisinternal AND tgenabled <> 'O' AND {HERE}",
        "tgrelid",
    ),
    Part(
        "rule",
        "relname",
        "rulename",
        "'rule '",
        "pg_get_ruledef(pg_rewrite.oid) || CASE ev_enabled WHEN 'O' THEN '' ELSE ' enabled ' || ev_enabled::text END",
        f"pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE {HERE} AND rulename <> '_RETURN'",
        "ev_class",
    ),
    Part(
        "settings",
        "relname",
        "attname",
        "format('column %I.%I ', relname, attname)",
        "format('storage %s compression %s statistics %s options %s %s', attstorage, attcompression, attstattarget,"
        " attoptions, attfdwoptions)",
        f"{ATTRIBUTE} WHERE {_TABLES} AND attnum > 0 AND NOT attisdropped",
        "attrelid",
    ),
    Part(
        "settings",
        "relname",
        "attname",
        "format('column %s of index %I ', attname, relname)",
        "format('statistics %s options %s', attstattarget, attoptions)",
        f"{ATTRIBUTE} WHERE {HERE} AND relkind IN ('i', 'I') AND attnum > 0 AND coalesce(attstattarget, -1) >= 0",
        "attrelid",
    ),
    Part(
        "settings",
        "relname",
        "relname",
        "format('sequence %I ', relname)",
        "format('start %s increment %s minimum %s maximum %s cache %s cycle %s%s',"
        " seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle,"
        " CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END)",
        f"pg_class JOIN pg_sequence ON seqrelid = pg_class.oid WHERE {HERE}",
        "pg_class.oid",
    ),
    Part(
        "statistics",
        "relname",
        "stxname",
        "'statistics '",
        "concat_ws(' target ', pg_get_statisticsobjdef(pg_statistic_ext.oid), nullif(stxstattarget, -1)::text)",
        f"pg_statistic_ext JOIN pg_class ON pg_class.oid = stxrelid WHERE {HERE}",
        "stxrelid",
    ),
    Part(
        "policy",
        "relname",
        "polname",
        "format('policy %s on %I: ', polname, relname)",
        "format('%s %s to %s using %s with check %s', permissive, cmd, roles, qual, with_check)",
        "pg_policies JOIN pg_class ON relname = tablename AND relnamespace = schemaname::regnamespace "
        "JOIN pg_policy ON polrelid = pg_class.oid AND polname = policyname WHERE schemaname = current_schema()",
        "pg_class.oid",
    ),
    Part(
        "materialized view",
        "relname",
        "relname",
        "format('materialized view %I ', relname)",
        "pg_get_viewdef(oid) || CASE WHEN relispopulated THEN '' ELSE ' not populated' END",
        f"pg_class WHERE {HERE} AND relkind = 'm'",
        "oid",
    ),
    Part(
        "options",
        "relname",
        "relname",
        "format('options of view %I: ', relname)",
        "array_to_string(reloptions, ' ')",
        f"pg_class WHERE {HERE} AND relkind IN ('v', 'm') AND reloptions IS NOT NULL",
        "oid",
    ),
)
