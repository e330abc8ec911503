"""What a PostgreSQL database has outside of schemas: event triggers, publications, default privileges, settings."""

from service.migrate.dialects.postgresql.objects import Part
from service.migrate.proof.catalog.privileges import granted, privileges, role

# Objects of an earlier number come with every database.
_ADDED = "oid >= 16384"
_SCHEMA = "coalesce(nspacl, acldefault('n', nspowner))"
_DATABASE = "coalesce(datacl, acldefault('d', datdba))"
_TO_SCHEMA = role("g.grantee", "nspowner")
_TO_DATABASE = role("g.grantee", "datdba")
_TO_DEFAULT = role("g.grantee", "defaclrole")
# Without a schema, pg_default_acl holds the whole list; in one, what is added to that.
_DEFAULT = (
    "format('of %s%s for %s', CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'"
    " WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,"
    " coalesce(' in ' || nullif(defaclnamespace, 0)::regnamespace, ''), pg_get_userbyid(defaclrole))"
)

DATABASE = (
    Part(
        "event trigger",
        "''",
        "evtname",
        "format('event trigger %I ', evtname)",
        "format('%s %s %s enabled %s', evtevent, evttags, evtfoid::regprocedure, evtenabled)",
        "pg_event_trigger",
        "oid",
        "pg_event_trigger",
    ),
    Part(
        "publication",
        "''",
        "pubname",
        "format('publication %I ', pubname)",
        "(to_jsonb(pg_publication) - 'oid' - 'pubowner' - 'pubname')::text || coalesce((SELECT ' schemas '"
        " || string_agg(pnnspid::regnamespace::text, ', ' ORDER BY 1) FROM pg_publication_namespace"
        " WHERE pnpubid = pg_publication.oid), '')",
        "pg_publication",
        "oid",
        "pg_publication",
    ),
    Part(
        "publication",
        "relname",
        "pubname",
        "format('publication %I of %s ', pubname, prrelid::regclass)",
        "concat_ws(' ', (SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')'"
        " FROM pg_attribute WHERE attrelid = prrelid AND attnum = ANY (prattrs)),"
        " 'where ' || pg_get_expr(prqual, prrelid))",
        "pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid "
        "JOIN pg_class ON pg_class.oid = prrelid",
        "prrelid",
    ),
    Part(
        "schema",
        "''",
        "nspname",
        "format('schema %I', nspname)",
        "''",
        "pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
        "oid",
        "pg_namespace",
    ),
    Part(
        "schema privileges",
        "nspname",
        f"'to ' || {_TO_SCHEMA}",
        f"format('privileges of schema %I to %s: ', nspname, {_TO_SCHEMA})",
        privileges(_SCHEMA, "nspowner"),
        f"pg_namespace, {granted(_SCHEMA)} WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
        "pg_namespace.oid",
        "pg_namespace",
    ),
    Part(
        "database privileges",
        "''",
        f"'to ' || {_TO_DATABASE}",
        f"format('privileges of the database to %s: ', {_TO_DATABASE})",
        privileges(_DATABASE, "datdba"),
        f"pg_database, {granted(_DATABASE)} WHERE datname = current_database()",
        "pg_database.oid",
        "pg_database",
    ),
    Part(
        "default privileges",
        "''",
        f"format('%s to %s', {_DEFAULT}, {_TO_DEFAULT})",
        f"format('default privileges %s to %s: ', {_DEFAULT}, {_TO_DEFAULT})",
        privileges("defaclacl", "defaclrole"),
        f"pg_default_acl, {granted('defaclacl')}",
        "pg_default_acl.oid",
        "pg_default_acl",
    ),
    Part(
        "database setting",
        "''",
        "coalesce(nullif(setrole, 0)::regrole::text || ' ', '') || setting",
        "format('setting of the database%s: ', coalesce(' for ' || nullif(setrole, 0)::regrole, ''))",
        "setting",
        "pg_db_role_setting, unnest(setconfig) AS setting "
        "WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
        "setdatabase",
        "pg_database",
    ),
    Part("extension", "''", "extname", "format('extension %I', extname)", "''", f"pg_extension WHERE {_ADDED}", "0"),
    Part(
        "cast",
        "''",
        "format('%s to %s', castsource::regtype, casttarget::regtype)",
        "format('cast from %s to %s: ', castsource::regtype, casttarget::regtype)",
        "concat_ws(' ', castcontext, castmethod, nullif(castfunc, 0)::regprocedure)",
        f"pg_cast WHERE {_ADDED}",
        "oid",
        "pg_cast",
    ),
    Part(
        "foreign-data wrapper",
        "''",
        "fdwname",
        "format('foreign-data wrapper %I ', fdwname)",
        "format('handler %s validator %s options %s', fdwhandler::regproc, fdwvalidator::regproc, fdwoptions)",
        "pg_foreign_data_wrapper",
        "oid",
        "pg_foreign_data_wrapper",
    ),
    Part(
        "server",
        "''",
        "srvname",
        "format('server %I ', srvname)",
        "format('type %s version %s privileges %s options %s', srvtype, srvversion, srvacl, srvoptions)",
        "pg_foreign_server",
        "oid",
        "pg_foreign_server",
    ),
    Part(
        "comment",
        "''",
        "pg_describe_object(classoid, objoid, objsubid)",
        "format('comment on %s: ', pg_describe_object(classoid, objoid, objsubid))",
        "description",
        "pg_description, LATERAL pg_identify_object(classoid, objoid, objsubid) AS found WHERE found.schema IS NULL "
        "AND classoid NOT IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_rewrite'::regclass) "
        "AND (objoid >= 16384 OR classoid = 'pg_namespace'::regclass)",
        "objoid",
    ),
    Part(
        "comment",
        "''",
        "'database'",
        "'comment on the database: '",
        "shobj_description(oid, 'pg_database')",
        "pg_database WHERE datname = current_database() AND shobj_description(oid, 'pg_database') IS NOT NULL",
        "oid",
        "pg_database",
    ),
)
KINDS = frozenset(each.kind for each in DATABASE) - {"comment"}
