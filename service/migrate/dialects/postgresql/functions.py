"""The functions and procedures of a PostgreSQL database, with what says whose columns their bodies may name."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.kept import once
from service.migrate.dialects.postgresql.bodies import PARSED_LANGUAGES, Body, Table, Tables

# Functions of extensions are written for any table: what they need of this one stands in a trigger's arguments.
_FUNCTIONS = text("""
WITH RECURSIVE asked AS (SELECT pg_class.oid, reltype, typarray FROM pg_class
                         LEFT JOIN pg_type ON pg_type.oid = reltype WHERE pg_class.oid = to_regclass(:table)),
below AS (SELECT oid FROM asked UNION SELECT inhrelid FROM pg_inherits JOIN below ON inhparent = below.oid),
above AS (SELECT oid FROM asked UNION SELECT inhparent FROM pg_inherits JOIN above ON inhrelid = above.oid)
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
       CASE WHEN pronamespace = quote_ident(current_schema())::regnamespace THEN '' ELSE nspname || '.' END
         || proname AS name,
       lanname AS language, coalesce(prosrc, '') AS text, lanispl AS is_text,
       ARRAY(SELECT DISTINCT tgname::text FROM pg_trigger WHERE tgfoid = p.oid AND NOT tgisinternal
             AND tgrelid IN (SELECT oid FROM below UNION SELECT oid FROM above) ORDER BY 1) AS triggers,
       ARRAY(SELECT coalesce(proargnames[place], '') FROM unnest(coalesce(proallargtypes, proargtypes::oid[]))
             WITH ORDINALITY AS given (kind, place) JOIN asked ON given.kind IN (reltype, typarray)) AS rows,
       EXISTS (SELECT FROM asked WHERE prorettype IN (reltype, typarray)) AS returns_row
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace JOIN pg_language ON pg_language.oid = prolang
WHERE prokind <> 'a' AND prosqlbody IS NULL AND nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT starts_with(proname, :prefix) AND NOT starts_with(nspname, 'pg_temp_')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
ORDER BY 1, 2
""")
_TABLES = """
SELECT relname, nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_ARGUMENTS = text("""
SELECT tgname::text AS name, encode(tgargs, 'escape') AS arguments FROM pg_trigger
WHERE tgrelid = to_regclass(:table) AND NOT tgisinternal AND tgnargs > 0 AND NOT starts_with(tgname, :prefix)
ORDER BY 1
""")
_TABLE = "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE pg_class.oid = {}"


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function or procedure of the database; `name` has the schema unless that is the current one."""

    kind: str
    name: str
    body: Body
    is_text: bool

    @property
    def described(self) -> str:
        return f"the {self.kind} {self.name}"

    @property
    def language(self) -> str:
        return self.body.language

    @property
    def is_readable(self) -> bool:
        """Whether the text of the function says what it does: a C function has the name of a symbol there."""
        return self.is_text or self.language in PARSED_LANGUAGES


def functions(connection: Connection, table: str) -> list[Function]:
    """The functions that a person created, without those of the migrator, of extensions, and BEGIN ATOMIC.

    PostgreSQL itself knows the tables and columns of a BEGIN ATOMIC body.
    """
    return once(connection, ("functions", table), lambda: list(_functions(connection, table)))


def _functions(connection: Connection, table: str) -> Iterator[Function]:
    tables = once(connection, "tables", lambda: _tables(connection))
    given = {"table": ddl.quoted(table), "prefix": naming.current().prefix}
    for row in connection.execute(_FUNCTIONS, given):
        body = Body(
            text=row.text,
            language=row.language,
            tables=tables,
            triggers=tuple(row.triggers),
            rows=frozenset(row.rows) - {""},
            takes_row=bool(row.rows) or row.returns_row,
        )
        yield Function(kind=row.kind, name=row.name, body=body, is_text=row.is_text)


def arguments(connection: Connection, table: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each trigger of the table that has arguments, with them."""
    given = {"table": ddl.quoted(table), "prefix": naming.current().prefix}
    for row in connection.execute(_ARGUMENTS, given):
        yield row.name, row.arguments.split("\\000")


def located(connection: Connection, table: str) -> Table | None:
    """The table with its schema; `None` when there is none."""
    return once(connection, ("located", table), lambda: _located(connection, table))


def _located(connection: Connection, table: str) -> Table | None:
    found = connection.exec_driver_sql(_TABLE.format(ddl.regclass(table))).one_or_none()
    return None if found is None else Table(schema=found.nspname, name=found.relname)


def _tables(connection: Connection) -> Tables:
    found = defaultdict(set)
    for row in connection.exec_driver_sql(_TABLES):
        found[row.relname].add(row.nspname)
    return {name: frozenset(schemas) for name, schemas in found.items()}
