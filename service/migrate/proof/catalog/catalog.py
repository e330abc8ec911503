"""The whole catalog of a database as objects and as lines, without the tables of Alembic and of the migrator."""

from collections.abc import Iterator

from sqlalchemy import Connection

from service.migrate.proof.catalog.database import DATABASE, KINDS
from service.migrate.proof.catalog.privileges import COMMENTS, PRIVILEGES
from service.migrate.proof.catalog.tables import TABLES
from service.migrate.proof.catalog.types import TYPES
from service.migrate.proof.diagram.reading import is_own
from service.migrate.state import drift
from service.migrate.state.drift import CatalogObject

# What PostgreSQL's administrators manage as well as revisions do.
OF_DATABASE = KINDS
_PARTITIONS = (
    "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = quote_ident(current_schema())::regnamespace"
)
_OTHER_SCHEMAS = (
    "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' "
    "AND nspname <> ALL (current_schemas(false)) ORDER BY 1"
)
# A sequence of a column has the owner of its table, and an array the owner of its type.
_OWNERS = """
WITH owned (kind, name, owner, class, oid) AS (
  SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END,
         relname::text, relowner, 'pg_class'::regclass, oid FROM pg_class
  WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                    AND relkind = 'S' AND deptype IN ('a', 'i'))
  UNION ALL
  SELECT 'function', oid::regprocedure::text, proowner, 'pg_proc'::regclass, oid FROM pg_proc
  WHERE pronamespace = quote_ident(current_schema())::regnamespace
  UNION ALL
  SELECT 'type', typname::text, typowner, 'pg_type'::regclass, oid FROM pg_type
  WHERE typnamespace = quote_ident(current_schema())::regnamespace AND typtype IN ('e', 'd', 'c', 'r')
    AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
  UNION ALL
  SELECT 'statistics', stxname::text, stxowner, 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
  WHERE stxnamespace = quote_ident(current_schema())::regnamespace
  UNION ALL
  SELECT 'collation', collname::text, collowner, 'pg_collation'::regclass, oid FROM pg_collation
  WHERE collnamespace = quote_ident(current_schema())::regnamespace
  UNION ALL
  SELECT 'publication', pubname::text, pubowner, 'pg_publication'::regclass, oid FROM pg_publication
)
SELECT kind, name, pg_get_userbyid(owner),
  EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND classid = class AND objid = owned.oid),
  owner = (SELECT relowner FROM pg_class
           WHERE relkind IN ('r', 'p') AND relnamespace = quote_ident(current_schema())::regnamespace
           ORDER BY relname <> 'alembic_version', oid LIMIT 1)
FROM owned
"""
_PRAGMAS = ("user_version", "application_id")


def objects(connection: Connection) -> list[CatalogObject]:
    """The objects of the current schema, without partitions, which are created and dropped with the data."""
    found = drift.objects(connection)
    if connection.dialect.name != "postgresql":
        return found
    partitions = set(connection.exec_driver_sql(_PARTITIONS).scalars())
    more = _described(connection)
    return [*found, *(each for each in more if each.kind != "partition" and each.table not in partitions)]


def objects_of_others(connection: Connection) -> list[CatalogObject]:
    """What `objects` leaves out: partitions, objects of the database, and other schemas, under qualified names."""
    if connection.dialect.name != "postgresql":
        return []
    partitions = set(connection.exec_driver_sql(_PARTITIONS).scalars())
    more = _described(connection)
    return [
        *(each for each in more if each.kind == "partition" or each.table in partitions),
        *_in_other_schemas(connection),
    ]


def objects_of_database(connection: Connection) -> list[CatalogObject]:
    """What PostgreSQL's database has outside of schemas; the search path is an attribute of the place."""
    if connection.dialect.name != "postgresql":
        return []
    found = drift.described(connection, DATABASE)
    return [each for each in found if not each.name.startswith("search_path=")]


def owners(connection: Connection, *, all_roles: bool = False) -> list[CatalogObject]:
    """The objects whose owner is not that of the table of revisions; `all_roles` for every object."""
    if connection.dialect.name != "postgresql":
        return []
    return [
        CatalogObject("owner", name, f"{kind} {name}", role, f"owner of {kind} {name}: {role}", is_of_extension)
        for kind, name, role, is_of_extension, is_usual in connection.exec_driver_sql(_OWNERS)
        if (all_roles or not is_usual) and not is_own(name)
    ]


def lines(connection: Connection) -> list[str]:
    """The line of every object, sorted; two databases that are compared by them are of one server."""
    if connection.dialect.name != "postgresql":
        pragmas = [f"{name} {connection.exec_driver_sql(f'PRAGMA {name}').scalar_one()}" for name in _PRAGMAS]
        return sorted([*drift.lines(connection), *pragmas])
    found = [
        *_described(connection),
        *drift.described(connection, DATABASE),
        *_in_other_schemas(connection),
        *owners(connection, all_roles=True),
    ]
    return sorted([*drift.lines(connection), *(each.line.strip() for each in found)])


def other_schemas(connection: Connection) -> list[str]:
    """The quoted names of the schemas that are not in the search path."""
    if connection.dialect.name != "postgresql":
        return []
    return list(connection.exec_driver_sql(_OTHER_SCHEMAS).scalars())


def _described(connection: Connection) -> list[CatalogObject]:
    found = drift.described(connection, (*TABLES, *PRIVILEGES, *COMMENTS, *TYPES))
    return [each for each in found if not is_own(each.table)]


def _in_other_schemas(connection: Connection) -> Iterator[CatalogObject]:
    own = connection.exec_driver_sql("SHOW search_path").scalar_one()
    for schema in other_schemas(connection):
        connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
        for each in (*drift.objects(connection), *_described(connection)):
            table = f"{schema}.{each.table}" if each.table else ""
            name = table if each.name == each.table else f"{schema}.{each.name}"
            yield each._replace(table=table, name=name, line=f"in schema {schema}: {each.line}")
    connection.exec_driver_sql(f"SET LOCAL search_path TO {own}")
