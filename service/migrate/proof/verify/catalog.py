"""What catalogs hold beside definitions: privileges, comments, policies, settings of tables, columns and sequences."""

from sqlalchemy import Connection

from service.migrate.dialects.postgresql.objects import Part
from service.migrate.proof.diagram.reading import is_own
from service.migrate.state import drift
from service.migrate.state.drift import CatalogObject

_HERE = "relnamespace = quote_ident(current_schema())::regnamespace AND NOT relispartition"
_ATTRIBUTE = "pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
# A role by name, the owner by that word: the same schema may belong to another role elsewhere.
_ROLE = "CASE WHEN {0} = 0 THEN 'PUBLIC' WHEN {0} = {owner} THEN 'the owner' ELSE quote_ident(pg_get_userbyid({0})) END"
# NULL stands for the privileges that an object is created with.
_KINDS = "CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\""


def _granted(acl: str) -> str:
    return f"LATERAL (SELECT DISTINCT grantee FROM aclexplode({acl})) AS g"


def _privileges(acl: str, owner: str) -> str:
    grantor = _ROLE.format("grantor", owner=owner)
    return (
        "(SELECT string_agg(privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END"
        f" || CASE WHEN grantor = {owner} THEN '' ELSE ' by ' || {grantor} END, ', ' ORDER BY privilege_type, grantor)"
        f" FROM aclexplode({acl}) AS e WHERE e.grantee = g.grantee)"
    )


_OF_TABLE = f"coalesce(relacl, acldefault({_KINDS}, relowner))"
_OF_FUNCTION = "coalesce(proacl, acldefault('f', proowner))"
_PARTS = (
    Part(
        "table",
        "relname",
        "relname",
        "format('table %I ', relname)",
        "concat_ws(' ', CASE relkind WHEN 'r' THEN 'ordinary' WHEN 'p' THEN 'partitioned' ELSE 'foreign' END,"
        " CASE relpersistence WHEN 'u' THEN 'unlogged' END, CASE WHEN relrowsecurity THEN 'row security' END,"
        " CASE WHEN relforcerowsecurity THEN 'forced' END, array_to_string(reloptions, ' '),"
        " 'replica identity ' || relreplident::text)",
        f"pg_class WHERE {_HERE} AND relkind IN ('r', 'p', 'f')",
        "oid",
    ),
    Part(
        "materialized view",
        "relname",
        "relname",
        "format('materialized view %I ', relname)",
        "pg_get_viewdef(oid)",
        f"pg_class WHERE {_HERE} AND relkind = 'm'",
        "oid",
    ),
    Part(
        "options",
        "relname",
        "relname",
        "format('options of view %I: ', relname)",
        "array_to_string(reloptions, ' ')",
        f"pg_class WHERE {_HERE} AND relkind IN ('v', 'm') AND reloptions IS NOT NULL",
        "oid",
    ),
    Part(
        "privileges",
        "relname",
        f"'to ' || {_ROLE.format('g.grantee', owner='relowner')}",
        f"format('privileges of %I to %s: ', relname, {_ROLE.format('g.grantee', owner='relowner')})",
        _privileges(_OF_TABLE, "relowner"),
        f"pg_class, {_granted(_OF_TABLE)} WHERE {_HERE} AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')",
        "pg_class.oid",
    ),
    Part(
        "privileges",
        "relname",
        f"attname || ' to ' || {_ROLE.format('g.grantee', owner='relowner')}",
        f"format('privileges of %I.%I to %s: ', relname, attname, {_ROLE.format('g.grantee', owner='relowner')})",
        _privileges("attacl", "relowner"),
        f"{_ATTRIBUTE}, {_granted('attacl')} WHERE {_HERE} AND NOT attisdropped",
        "attrelid",
    ),
    Part(
        "privileges",
        "oid::regprocedure",
        f"'to ' || {_ROLE.format('g.grantee', owner='proowner')}",
        "format('privileges of function %s to %s: ', oid::regprocedure, "
        f"{_ROLE.format('g.grantee', owner='proowner')})",
        _privileges(_OF_FUNCTION, "proowner"),
        f"pg_proc, {_granted(_OF_FUNCTION)} WHERE pronamespace = quote_ident(current_schema())::regnamespace",
        "oid",
        "pg_proc",
    ),
    Part(
        "comment",
        "relname",
        "coalesce(attname, relname)",
        "format('comment on %I%s: ', relname, coalesce('.' || quote_ident(attname), ''))",
        "description",
        "pg_description JOIN pg_class ON pg_class.oid = objoid AND classoid = 'pg_class'::regclass "
        f"LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0 WHERE {_HERE}",
        "pg_class.oid",
    ),
    Part(
        "comment",
        "relname",
        "'constraint ' || conname",
        "format('comment on constraint %I of %I: ', conname, relname)",
        "description",
        "pg_description JOIN pg_constraint ON pg_constraint.oid = objoid AND classoid = 'pg_constraint'::regclass "
        f"JOIN pg_class ON pg_class.oid = conrelid WHERE {_HERE}",
        "conrelid",
    ),
    Part(
        "comment",
        "relname",
        "'trigger ' || tgname",
        "format('comment on trigger %I of %I: ', tgname, relname)",
        "description",
        "pg_description JOIN pg_trigger ON pg_trigger.oid = objoid AND classoid = 'pg_trigger'::regclass "
        f"JOIN pg_class ON pg_class.oid = tgrelid WHERE {_HERE}",
        "tgrelid",
    ),
    Part(
        "comment",
        "pg_proc.oid::regprocedure",
        "pg_proc.oid::regprocedure",
        "format('comment on function %s: ', pg_proc.oid::regprocedure)",
        "description",
        "pg_description JOIN pg_proc ON pg_proc.oid = objoid AND classoid = 'pg_proc'::regclass "
        "WHERE pronamespace = quote_ident(current_schema())::regnamespace",
        "pg_proc.oid",
        "pg_proc",
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
        "settings",
        "relname",
        "attname",
        "format('column %I.%I ', relname, attname)",
        "format('storage %s compression %s statistics %s options %s', attstorage, attcompression, attstattarget,"
        " attoptions)",
        f"{_ATTRIBUTE} WHERE {_HERE} AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped",
        "attrelid",
    ),
    Part(
        "settings",
        "relname",
        "relname",
        "format('sequence %I ', relname)",
        "format('start %s increment %s minimum %s maximum %s cache %s cycle %s',"
        " seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)",
        "pg_class JOIN pg_sequence ON seqrelid = pg_class.oid "
        "WHERE relnamespace = quote_ident(current_schema())::regnamespace",
        "pg_class.oid",
    ),
    Part(
        "statistics",
        "relname",
        "stxname",
        "'statistics '",
        "pg_get_statisticsobjdef(pg_statistic_ext.oid)",
        f"pg_statistic_ext JOIN pg_class ON pg_class.oid = stxrelid WHERE {_HERE}",
        "stxrelid",
    ),
    Part(
        "publication",
        "relname",
        "pubname",
        "format('publication %I of %I', pubname, relname)",
        "''",
        "pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid "
        f"JOIN pg_class ON pg_class.oid = prrelid WHERE {_HERE}",
        "prrelid",
    ),
    Part(
        "rule",
        "relname",
        "rulename",
        "'rule '",
        "pg_get_ruledef(pg_rewrite.oid)",
        f"pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE {_HERE} AND rulename <> '_RETURN'",
        "ev_class",
    ),
    Part(
        "type",
        "typname",
        "typname",
        "format('type %I ', typname)",
        "coalesce((SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum"
        " WHERE enumtypid = pg_type.oid), format_type(typbasetype, typtypmod) || CASE WHEN typnotnull THEN ' not null'"
        " ELSE '' END || coalesce(' default ' || typdefault, ''))",
        "pg_type WHERE typnamespace = quote_ident(current_schema())::regnamespace AND typtype IN ('e', 'd')",
        "oid",
        "pg_type",
    ),
)

# A sequence of a column has the owner of its table.
_OWNERS = """
SELECT relname, format('owner of %s %I: %I', CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
  WHEN 'S' THEN 'sequence' ELSE 'table' END, relname, pg_get_userbyid(relowner)) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND NOT relispartition AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                  AND relkind = 'S' AND deptype IN ('a', 'i'))
UNION ALL
SELECT '', format('owner of function %s: %I', oid::regprocedure, pg_get_userbyid(proowner)) FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
"""


def more_objects(connection: Connection) -> list[CatalogObject]:
    """What `drift.objects` leaves out; nothing on SQLite, whose definitions say all."""
    if connection.dialect.name != "postgresql":
        return []
    return [each for each in drift.described(connection, _PARTS) if not is_own(each.table)]


def more_lines(connection: Connection) -> list[str]:
    """The line of each of `more_objects`, sorted."""
    return sorted(each.line.strip() for each in more_objects(connection))


def owners(connection: Connection) -> list[str]:
    """The owner of each table, view, sequence and function; the databases that are compared have the same roles."""
    if connection.dialect.name != "postgresql":
        return []
    return sorted(line for table, line in connection.exec_driver_sql(_OWNERS) if not is_own(table))
