"""Privileges and comments of what PostgreSQL's current schema has."""

from service.migrate.dialects.postgresql.objects import Part
from service.migrate.proof.catalog.tables import ATTRIBUTE, HERE

# A role by name, the owner by that word: the same schema may belong to another role elsewhere.
_ROLE = "CASE WHEN {0} = 0 THEN 'PUBLIC' WHEN {0} = {owner} THEN 'the owner' ELSE quote_ident(pg_get_userbyid({0})) END"
# NULL stands for the privileges that an object is created with.
_KINDS = "CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\""
_OF_TABLE = f"coalesce(relacl, acldefault({_KINDS}, relowner))"
_OF_FUNCTION = "coalesce(proacl, acldefault('f', proowner))"
_OF_TYPE = "coalesce(typacl, acldefault('T', typowner))"
_FUNCTIONS = "pronamespace = quote_ident(current_schema())::regnamespace"
_TYPES = "typnamespace = quote_ident(current_schema())::regnamespace"


def granted(acl: str) -> str:
    """A FROM item `g` with each role that the list names."""
    return f"LATERAL (SELECT DISTINCT grantee FROM aclexplode({acl})) AS g"


def role(column: str, owner: str) -> str:
    """The name of a role in a line."""
    return _ROLE.format(column, owner=owner)


def privileges(acl: str, owner: str) -> str:
    """The privileges of the role of `granted`."""
    grantor = role("grantor", owner)
    return (
        "(SELECT string_agg(privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END"
        f" || CASE WHEN grantor = {owner} THEN '' ELSE ' by ' || {grantor} END, ', ' ORDER BY privilege_type, grantor)"
        f" FROM aclexplode({acl}) AS e WHERE e.grantee = g.grantee)"
    )


def _comment(table: str, name: str, head: str, joined: str, of: str, *, catalog: str = "pg_class") -> Part:
    return Part("comment", table, name, head, "description", f"pg_description JOIN {joined}", of, catalog)


def _of_class(catalog: str) -> str:
    return f"{catalog}.oid = objoid AND classoid = '{catalog}'::regclass"


_TABLE = role("g.grantee", "relowner")
_FUNCTION = role("g.grantee", "proowner")
_TYPE = role("g.grantee", "typowner")
PRIVILEGES = (
    Part(
        "privileges",
        "relname",
        f"'to ' || {_TABLE}",
        f"format('privileges of %I to %s: ', relname, {_TABLE})",
        privileges(_OF_TABLE, "relowner"),
        f"pg_class, {granted(_OF_TABLE)} WHERE {HERE} AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')",
        "pg_class.oid",
    ),
    Part(
        "privileges",
        "relname",
        f"attname || ' to ' || {_TABLE}",
        f"format('privileges of %I.%I to %s: ', relname, attname, {_TABLE})",
        privileges("attacl", "relowner"),
        f"{ATTRIBUTE}, {granted('attacl')} WHERE {HERE} AND NOT attisdropped",
        "attrelid",
    ),
    Part(
        "privileges",
        "pg_proc.oid::regprocedure",
        f"'to ' || {_FUNCTION}",
        f"format('privileges of function %s to %s: ', pg_proc.oid::regprocedure, {_FUNCTION})",
        privileges(_OF_FUNCTION, "proowner"),
        f"pg_proc, {granted(_OF_FUNCTION)} WHERE {_FUNCTIONS}",
        "pg_proc.oid",
        "pg_proc",
    ),
    Part(
        "privileges",
        "typname",
        f"'to ' || {_TYPE}",
        f"format('privileges of type %I to %s: ', typname, {_TYPE})",
        privileges(_OF_TYPE, "typowner"),
        # Every table has a type too.
        f"pg_type, {granted(_OF_TYPE)} WHERE {_TYPES} AND typacl IS NOT NULL",
        "pg_type.oid",
        "pg_type",
    ),
)
COMMENTS = (
    _comment(
        "relname",
        "coalesce(attname, relname)",
        "format('comment on %I%s: ', relname, coalesce('.' || quote_ident(attname), ''))",
        f"pg_class ON {_of_class('pg_class')} "
        f"LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0 WHERE {HERE}",
        "pg_class.oid",
    ),
    _comment(
        "relname",
        "'constraint ' || conname",
        "format('comment on constraint %I of %I: ', conname, relname)",
        f"pg_constraint ON {_of_class('pg_constraint')} JOIN pg_class ON pg_class.oid = conrelid WHERE {HERE}",
        "conrelid",
    ),
    _comment(
        "relname",
        "'trigger ' || tgname",
        "format('comment on trigger %I of %I: ', tgname, relname)",
        f"pg_trigger ON {_of_class('pg_trigger')} JOIN pg_class ON pg_class.oid = tgrelid WHERE {HERE}",
        "tgrelid",
    ),
    _comment(
        "relname",
        "'policy ' || polname",
        "format('comment on policy %I of %I: ', polname, relname)",
        f"pg_policy ON {_of_class('pg_policy')} JOIN pg_class ON pg_class.oid = polrelid WHERE {HERE}",
        "polrelid",
    ),
    _comment(
        "relname",
        "'rule ' || rulename",
        "format('comment on rule %I of %I: ', rulename, relname)",
        f"pg_rewrite ON {_of_class('pg_rewrite')} JOIN pg_class ON pg_class.oid = ev_class WHERE {HERE}",
        "ev_class",
    ),
    _comment(
        "pg_proc.oid::regprocedure",
        "pg_proc.oid::regprocedure",
        "format('comment on function %s: ', pg_proc.oid::regprocedure)",
        f"pg_proc ON {_of_class('pg_proc')} WHERE {_FUNCTIONS}",
        "pg_proc.oid",
        catalog="pg_proc",
    ),
    _comment(
        "typname",
        "typname",
        "format('comment on type %I: ', typname)",
        f"pg_type ON {_of_class('pg_type')} WHERE {_TYPES}",
        "pg_type.oid",
        catalog="pg_type",
    ),
    # Constraints of domains, statistics, collations, operators, text search.
    _comment(
        "''",
        "pg_describe_object(classoid, objoid, objsubid)",
        "format('comment on %s: ', pg_describe_object(classoid, objoid, objsubid))",
        "LATERAL pg_identify_object(classoid, objoid, objsubid) AS found ON found.schema = current_schema() "
        "WHERE objoid >= 16384 AND classoid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass) "
        "AND NOT EXISTS (SELECT FROM pg_constraint WHERE pg_constraint.oid = objoid AND conrelid <> 0)",
        "objoid",
    ),
)
