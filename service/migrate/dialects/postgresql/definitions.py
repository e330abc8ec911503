"""Definitions of indexes and constraints as PostgreSQL itself writes them, stored or only declared."""

import re
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl
from service.migrate.dialects.kept import once

_CONSTRAINT = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :name
"""
_RELATION = """
SELECT t.relname AS table, pg_get_indexdef(i.oid) AS text, indisvalid IS FALSE AS is_invalid,
       (SELECT conname FROM pg_constraint WHERE conindid = i.oid AND contype IN ('p', 'u', 'x')) AS constraint
FROM pg_class i LEFT JOIN pg_index ON indexrelid = i.oid LEFT JOIN pg_class t ON t.oid = indrelid
WHERE i.relnamespace = quote_ident(current_schema())::regnamespace AND i.relname = :name
"""
_MARKS = """
SELECT mark FROM pg_index JOIN pg_class ON oid = indexrelid, LATERAL (VALUES
  (indisclustered, 'is the one that CLUSTER uses'),
  (indisreplident, 'is the replica identity of the table'),
  (reltablespace <> 0, 'is in a tablespace'),
  (EXISTS (SELECT FROM pg_attribute WHERE attrelid = indexrelid AND coalesce(attstattarget, -1) >= 0),
   'has a statistics target'),
  (reloptions IS NOT NULL AND EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid), 'has storage parameters')
) AS found (is_there, mark) WHERE is_there AND oid = to_regclass(:name)
"""
# pg_temp must come first, for the statements to reach the copy and never the table.
_COPY = (
    "SELECT set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)",
    "CREATE TEMPORARY TABLE {table} (LIKE {schema}.{table})",
)
# `varchar_column IN ('a', 'b')` as it is created; a restored dump has the cast on each element instead.
_CAST_ARRAY = re.compile(r"\(ARRAY\[('(?:[^']|'')*'::[a-z ]+(?:, '(?:[^']|'')*'::[a-z ]+)*)\]\)::text\[\]")
_ELEMENT = re.compile(r"'(?:[^']|'')*'::[a-z ]+")
_INDEX = re.compile(r"CREATE (?P<unique>UNIQUE )?INDEX .*? ON .*? (?=USING )", re.DOTALL)


class Relation(NamedTuple):
    """What has a name in the schema: an index, its table and its constraint, or another relation."""

    table: str | None
    text: str | None
    is_invalid: bool
    constraint: str | None


def constraint(connection: Connection, table: str, name: str) -> str | None:
    """The definition of a constraint; `None` if there is none of this name."""
    given = {"table": ddl.quoted(table), "name": name}
    found: str | None = connection.execute(text(_CONSTRAINT), given).scalar()
    return found


def constraint_comment(connection: Connection, table: str, name: str) -> str | None:
    asked = "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conrelid = {} AND conname = {}"
    found: str | None = connection.exec_driver_sql(asked.format(ddl.regclass(table), ddl.literal(name))).scalar()
    return found


def index_comment(connection: Connection, name: str) -> str | None:
    asked = f"SELECT obj_description({ddl.regclass(name)}, 'pg_class')"
    found: str | None = connection.exec_driver_sql(asked).scalar()
    return found


def index_marks(connection: Connection, name: str) -> list[str]:
    """What an index has that CREATE INDEX of its definition would not give back."""
    return list(connection.execute(text(_MARKS), {"name": ddl.quoted(name)}).scalars())


def relation(connection: Connection, name: str) -> Relation | None:
    row = connection.execute(text(_RELATION), {"name": name}).one_or_none()
    return None if row is None else Relation(row.table, _plain(row.text), bool(row.is_invalid), row.constraint)


def declared_constraint(connection: Connection, table: str, name: str, statement: str) -> str | None:
    """How PostgreSQL writes the constraint that the statement would add; `None` if the statement fails."""
    given = {"table": f"pg_temp.{ddl.quoted(table)}", "name": name}
    return _tried(connection, table, statement, text(_CONSTRAINT), given)


def declared_index(connection: Connection, table: str, name: str, statement: str) -> str | None:
    """How PostgreSQL writes the index that the statement would create; `None` if the statement fails."""
    asked = text("SELECT pg_get_indexdef(to_regclass(:name))")
    statement = statement.replace(" INDEX CONCURRENTLY ", " INDEX ", 1)
    return _plain(_tried(connection, table, statement, asked, {"name": f"pg_temp.{ddl.quoted(name)}"}))


# A run reads the catalog three times, and most texts stay.
@lru_cache(maxsize=4096)
def as_restored(text: str) -> str:
    """The text as it is after a dump and a restore, which keep the meaning of a CHECK and not its text."""
    return _CAST_ARRAY.sub(lambda array: f"ARRAY[{_ELEMENT.sub(lambda each: f'({each[0]})::text', array[1])}]", text)


def _tried(connection: Connection, table: str, statement: str, asked: TextClause, given: dict[str, str]) -> str | None:
    """Run the statement on an empty copy of the table, ask, and roll back."""
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar()
    nested = connection.begin_nested()
    try:
        for each in _COPY:
            connection.exec_driver_sql(each.format(schema=schema, table=ddl.quoted(table)))
        connection.exec_driver_sql(statement)
        found: str | None = connection.execute(asked, given).scalar()
    except DBAPIError:
        return None
    finally:
        nested.rollback()
    return found


def _plain(definition: str | None) -> str | None:
    """The definition of an index without its name and its table."""
    return None if definition is None else _INDEX.sub(lambda found: found["unique"] or "", definition, count=1)


_COLUMNS = """
SELECT attname, concat_ws(' ', format_type(atttypid, atttypmod),
         CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || quote_ident(collname) END,
         CASE WHEN attgenerated = '' THEN 'DEFAULT ' ELSE 'GENERATED AS ' END || pg_get_expr(adbin, adrelid),
         CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END || ' AS IDENTITY',
         CASE WHEN attnotnull THEN 'NOT NULL' END) AS text
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid LEFT JOIN pg_collation ON pg_collation.oid = attcollation
LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
"""


def columns(connection: Connection, table: str) -> dict[str, str]:
    """Each column's definition; none where there is no such table."""
    return once(connection, ("columns", table), lambda: _columns(connection, ddl.quoted(table)))


def _columns(connection: Connection, table: str) -> dict[str, str]:
    return {row.attname: row.text for row in connection.execute(text(_COLUMNS), {"table": table})}


def declared_columns(connection: Connection, table: str, statement: str) -> dict[str, str]:
    """How PostgreSQL writes the columns of a CREATE TABLE statement; none if the statement fails."""
    nested = connection.begin_nested()
    try:
        connection.exec_driver_sql(_COPY[0])
        connection.exec_driver_sql(statement)
        return _columns(connection, f"pg_temp.{ddl.quoted(table)}")
    except DBAPIError:
        return {}
    finally:
        nested.rollback()
