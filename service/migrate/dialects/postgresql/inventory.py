"""Everything that is on a table and its columns, from PostgreSQL's catalog in one query."""

from functools import cache

from sqlalchemy import Connection, TextClause, text

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.postgresql import access_parts, shape_parts

# t is the table, a its columns, d the objects that depend on it.
_QUERY = """
WITH t AS (SELECT * FROM pg_class WHERE oid = to_regclass(:table)),
a AS (SELECT pg_attribute.* FROM pg_attribute JOIN t ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped),
d AS (SELECT pg_depend.* FROM pg_depend JOIN t ON refclassid = 'pg_class'::regclass AND refobjid = t.oid)
SELECT * FROM ({parts}) AS found ORDER BY 1, 2 NULLS FIRST, 3, 4
"""


def inventory(connection: Connection, table: str) -> list[Found]:
    """Every attribute of the table; empty if there is no table, view or foreign table of that name."""
    query = _written(ddl.literal(naming.current().prefix))
    return [
        Found(Attribute(attribute), column, name, definition)
        for attribute, column, name, definition in connection.execute(query, {"table": ddl.quoted(table)})
    ]


@cache
def _written(prefix: str) -> TextClause:
    # The table is a parameter: the server plans the query for a few tables, and then keeps the plan.
    parts = (
        f"SELECT {ddl.literal(attribute)}, {part.column}::text, coalesce({part.name}::text, ''), "
        f"coalesce({part.definition}::text, '') FROM {part.rows.replace('{prefix}', prefix)}"
        for attribute, part in (*access_parts.PARTS, *shape_parts.PARTS)
    )
    return text(_QUERY.format(parts=" UNION ALL ".join(parts)))
