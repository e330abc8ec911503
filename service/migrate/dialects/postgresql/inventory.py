"""Everything that is on a table and its columns, from PostgreSQL's catalog in one query."""

from functools import cache

from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.postgresql import access_parts, shape_parts

# t is the table, a its columns, d the objects that depend on it.
_QUERY = """
WITH t AS (SELECT * FROM pg_class WHERE oid = {table}),
a AS (SELECT pg_attribute.* FROM pg_attribute JOIN t ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped),
d AS (SELECT pg_depend.* FROM pg_depend JOIN t ON refclassid = 'pg_class'::regclass AND refobjid = t.oid)
SELECT * FROM ({parts}) AS found ORDER BY 1, 2 NULLS FIRST, 3, 4
"""


def inventory(connection: Connection, table: str) -> list[Found]:
    """Every attribute of the table; empty if there is no table, view or foreign table of that name."""
    query = _written(ddl.regclass(table), ddl.literal(naming.current().prefix))
    return [
        Found(Attribute(attribute), column, name, definition)
        for attribute, column, name, definition in connection.exec_driver_sql(query)
    ]


@cache
def _written(table: str, prefix: str) -> str:
    parts = (
        f"SELECT {ddl.literal(attribute)}, {part.column}::text, coalesce({part.name}::text, ''), "
        f"coalesce({part.definition}::text, '') FROM {part.rows.replace('{prefix}', prefix)}"
        for attribute, part in (*access_parts.PARTS, *shape_parts.PARTS)
    )
    return _QUERY.format(table=table, parts=" UNION ALL ".join(parts))
