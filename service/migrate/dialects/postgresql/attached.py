"""What PostgreSQL's catalog says is on a column: indexes, constraints, and what cannot be made on another one."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from service.migrate.dialects import ddl

_ON_IT = """
SELECT i.relname AS name, 'index' AS kind, indisunique AS is_unique, con.oid IS NOT NULL AS is_constraint,
       indisvalid AS is_valid, obj_description(con.oid, 'pg_constraint') AS told_of_constraint,
       obj_description(i.oid, 'pg_class') AS told,
       -- The schema of a temporary table has two names.
       regexp_replace(substring(pg_get_indexdef(i.oid) FROM length(format(
         'CREATE %sINDEX %I ON ', CASE WHEN indisunique THEN 'UNIQUE ' END, i.relname)) + 1),
         '^.*? USING ', 'USING ') AS text
FROM pg_index JOIN pg_class i ON i.oid = indexrelid
LEFT JOIN pg_constraint con ON con.conindid = i.oid AND con.conrelid = indrelid AND contype = 'u'
WHERE indrelid = to_regclass(:table) AND EXISTS (
  SELECT FROM pg_depend JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid) AND attname = :column
  WHERE refclassid = 'pg_class'::regclass AND refobjid = indrelid AND (
    classid = 'pg_class'::regclass AND objid = i.oid OR classid = 'pg_constraint'::regclass AND objid = con.oid))
UNION ALL
SELECT conname, CASE contype WHEN 'c' THEN 'check' ELSE 'key' END, false, true, convalidated,
       obj_description(pg_constraint.oid, 'pg_constraint'), NULL, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint WHERE conrelid = to_regclass(:table) AND contype IN ('c', 'f') AND EXISTS (
  SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey) AND attname = :column)
ORDER BY 1
"""
# A key has its columns first; of those that it names behind, see `has_more`.
_KEYED = """
SELECT conname, 'FOREIGN KEY (' || string_agg(quote_ident(attname), ', ' ORDER BY place) || ')' AS before,
       'FOREIGN KEY (' || string_agg(quote_ident(
         CASE attname WHEN :column THEN :beside ELSE attname::text END), ', ' ORDER BY place) || ')' AS after
FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS keys (number, place)
JOIN pg_attribute ON attnum = number WHERE attrelid = conrelid AND conrelid = to_regclass(:table) AND contype = 'f'
GROUP BY conname
"""
_OF = "SELECT oid FROM pg_constraint WHERE contype = '{}'"
# Where each is in the catalog, as what depends on a column.
_KINDS = {
    "index": (("pg_class", "SELECT indexrelid FROM pg_index"), ("pg_constraint", _OF.format("u"))),
    "check": (("pg_constraint", _OF.format("c")),),
    "key": (("pg_constraint", _OF.format("f")),),
}


class Thing(NamedTuple):
    """An index or a constraint: `text` is what it is on, without its name."""

    name: str
    kind: str
    is_unique: bool
    is_constraint: bool
    is_valid: bool
    told_of_constraint: str | None
    told: str | None
    text: str

    @property
    def beside(self) -> str:
        """What it is called on the column beside; a check is looked at after the one whose name requests know."""
        return ddl.inner_name(f"{self.name}_next")


def things(connection: Connection, table: str, column: str) -> Sequence[Thing]:
    """The indexes, unique constraints, checks and foreign keys that are on a column, alone or with others."""
    given = {"table": ddl.quoted(table), "column": column}
    return [Thing(*row) for row in connection.execute(text(_ON_IT), given)]


def comment(connection: Connection, table: str, column: str) -> str | None:
    asked = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = {} AND attname = {}"
    found: str | None = connection.exec_driver_sql(asked.format(_oid(table), ddl.literal(column))).scalar()
    return found


def keyed(connection: Connection, table: str, column: str, beside: str) -> dict[str, tuple[str, str]]:
    """How the definition of each foreign key of a table begins, and how with one column for the other."""
    names = {"table": ddl.quoted(table), "column": column, "beside": beside}
    return {row.conname: (row.before, row.after) for row in connection.execute(text(_KEYED), names)}


def count(table: str, column: str, *kinds: str) -> str:
    """How many things of these kinds are on a column."""
    these = " OR ".join(
        f"classid = '{catalog}'::regclass AND objid IN ({found})" for kind in kinds for catalog, found in _KINDS[kind]
    )
    return (
        "(SELECT count(DISTINCT (classid, objid)) FROM pg_depend "
        "JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid) "
        f"WHERE refclassid = 'pg_class'::regclass AND refobjid = {_oid(table)} AND attname = {ddl.literal(column)} "
        f"AND ({these}))"
    )


def has_more(table: str, column: str) -> str:
    """Ask whether something is on a column that cannot be made beside and take over while requests go on.

    A deferrable constraint is such: until it is one, its index refuses at once what is to be allowed until the COMMIT.
    So is a check that is not valid: a row that is not as it says cannot even be filled.
    """
    return f"""SELECT EXISTS (
SELECT FROM pg_class t JOIN pg_attribute a ON attrelid = t.oid AND attname = {ddl.literal(column)} AND NOT attisdropped
WHERE t.oid = {_oid(table)} AND (
  relkind <> 'r' OR attacl IS NOT NULL OR NOT has_database_privilege(current_database(), 'TEMPORARY')
  OR EXISTS (SELECT FROM pg_inherits WHERE t.oid IN (inhparent, inhrelid))
  -- A whole row, which no copy of a table can have.
  OR EXISTS (SELECT FROM pg_index WHERE indrelid = t.oid AND concat(indexprs, indpred) LIKE '%:varattno 0 %')
  OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = t.oid AND conbin::text LIKE '%:varattno 0 %')
  OR EXISTS (
    SELECT FROM pg_depend d
    LEFT JOIN pg_constraint c ON classid = 'pg_constraint'::regclass AND c.oid = objid
    LEFT JOIN pg_index i ON indexrelid = CASE WHEN contype = 'u' THEN conindid
                                              WHEN classid = 'pg_class'::regclass THEN objid END
    LEFT JOIN pg_class k ON k.oid = indexrelid
    LEFT JOIN pg_attrdef v ON classid = 'pg_attrdef'::regclass AND v.oid = objid
    WHERE refclassid = 'pg_class'::regclass AND refobjid = t.oid AND refobjsubid = attnum
    AND NOT coalesce(CASE
      WHEN contype = 'f' THEN conrelid = t.oid AND confdelsetcols IS NULL
                              AND NOT (confrelid = t.oid AND attnum = ANY(confkey))
      WHEN contype = 'u' AND condeferrable THEN false
      WHEN indexrelid IS NOT NULL THEN indisvalid AND NOT indisexclusion AND NOT indisreplident
                                       AND NOT indisclustered AND k.reltablespace = 0
      WHEN contype IS NOT NULL THEN conrelid = t.oid AND (contype = 'n' OR contype = 'c' AND convalidated)
      ELSE adnum = attnum END, false))))"""


def _oid(table: str) -> str:
    return f"to_regclass({ddl.literal(ddl.quoted(table))})"
