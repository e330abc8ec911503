"""Indexes and constraints of a column, from PostgreSQL's catalog."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from service.migrate.dialects import ddl

_ON_IT = """
SELECT i.relname AS name, 'index' AS kind, indisunique AS is_unique, con.oid IS NOT NULL AS is_constraint,
       indisvalid AS is_valid, obj_description(con.oid, 'pg_constraint') AS constraint_comment,
       obj_description(i.oid, 'pg_class') AS comment,
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
# pg_get_constraintdef writes a foreign key's own columns first; for columns named later see `prevents_shadow`.
_KEYED = """
SELECT conname, 'FOREIGN KEY (' || string_agg(quote_ident(attname), ', ' ORDER BY place) || ')' AS before,
       'FOREIGN KEY (' || string_agg(quote_ident(
         CASE attname WHEN :column THEN :shadow ELSE attname::text END), ', ' ORDER BY place) || ')' AS after
FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS keys (number, place)
JOIN pg_attribute ON attnum = number WHERE attrelid = conrelid AND conrelid = to_regclass(:table) AND contype = 'f'
GROUP BY conname
"""
_OF = "SELECT oid FROM pg_constraint WHERE contype = '{}'"
# The catalog that holds each kind, as pg_depend names it.
_KINDS = {
    "index": (("pg_class", "SELECT indexrelid FROM pg_index"), ("pg_constraint", _OF.format("u"))),
    "check": (("pg_constraint", _OF.format("c")),),
    "key": (("pg_constraint", _OF.format("f")),),
}


class Attached(NamedTuple):
    """An index or a constraint; `text` is its definition without its name."""

    name: str
    kind: str
    is_unique: bool
    is_constraint: bool
    is_valid: bool
    constraint_comment: str | None
    comment: str | None
    text: str

    @property
    def shadow_name(self) -> str:
        """The name on the shadow column; it sorts after the original, since CHECKs run in the order of their names."""
        return ddl.inner_name(f"{self.name}_next")


def attached_to(connection: Connection, table: str, column: str) -> Sequence[Attached]:
    """The indexes, unique constraints, checks and foreign keys that are on a column, alone or with others."""
    given = {"table": ddl.quoted(table), "column": column}
    return [Attached(*row) for row in connection.execute(text(_ON_IT), given)]


def keyed(connection: Connection, table: str, column: str, shadow: str) -> dict[str, tuple[str, str]]:
    """How each foreign key's definition begins, with the column and with its shadow column."""
    names = {"table": ddl.quoted(table), "column": column, "shadow": shadow}
    return {row.conname: (row.before, row.after) for row in connection.execute(text(_KEYED), names)}


def count(table: str, column: str, *kinds: str) -> str:
    """An SQL expression: the number of indexes and constraints of these kinds on a column."""
    these = " OR ".join(
        f"classid = '{catalog}'::regclass AND objid IN ({found})" for kind in kinds for catalog, found in _KINDS[kind]
    )
    return (
        "(SELECT count(DISTINCT (classid, objid)) FROM pg_depend "
        "JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid) "
        f"WHERE refclassid = 'pg_class'::regclass AND refobjid = {ddl.regclass(table)} "
        f"AND attname = {ddl.literal(column)} AND ({these}))"
    )


def prevents_shadow(table: str, column: str) -> str:
    """A query: whether something on a column cannot be built on a shadow column that then takes its place.

    A deferrable unique constraint: its index alone would reject at once what the constraint allows until COMMIT.
    A NOT VALID check: the backfill of a row that violates the check would fail.
    """
    return f"""SELECT EXISTS (
SELECT FROM pg_class t JOIN pg_attribute a ON attrelid = t.oid AND attname = {ddl.literal(column)} AND NOT attisdropped
WHERE t.oid = {ddl.regclass(table)} AND (
  relkind <> 'r' OR NOT has_database_privilege(current_database(), 'TEMPORARY')
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
