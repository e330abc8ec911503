"""Dependents of a column or a table, which must be dropped first; `Phases.frees` spells them in the same way."""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

from sqlalchemy import Connection, Row

from service.migrate import naming
from service.migrate.dialects import ddl, predicates, reflected
from service.migrate.dialects.sqlite import schema_copy
from service.migrate.dialects.sqlite.clauses import Clause
from service.migrate.dialects.sqlite.definition import Definition, Item, parse
from service.migrate.dialects.sqlite.tokens import join, lowered
from service.migrate.operations.step import CATALOG, Precondition

Uses = Callable[[Connection], list[tuple[Any, ...]]]

_PROBE = "_migration_probe"

_DESCRIBED = r"""
SELECT DISTINCT CASE
  WHEN classid = 'pg_constraint'::regclass THEN (
    SELECT 'the constraint ' || conname || ' of ' || relname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE pg_constraint.oid = objid AND contype <> 'n')
  WHEN classid = 'pg_class'::regclass AND objsubid = 0 THEN (
    SELECT 'the index ' || relname FROM pg_class WHERE oid = objid AND relkind IN ('i', 'I'))
  WHEN classid = 'pg_rewrite'::regclass THEN (
    SELECT CASE WHEN rulename <> '_RETURN' THEN 'the rule ' || rulename
                WHEN relkind = 'm' THEN 'the materialized view ' || relname ELSE 'the view ' || relname END
    FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
    WHERE pg_rewrite.oid = objid AND (ev_class <> refobjid OR {own_rules} AND rulename <> '_RETURN'))
  WHEN classid = 'pg_proc'::regclass THEN (
    SELECT CASE prokind WHEN 'p' THEN 'the procedure ' ELSE 'the function ' END || proname
    FROM pg_proc WHERE oid = objid)
  WHEN classid = 'pg_trigger'::regclass THEN (
    SELECT 'the trigger ' || tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE pg_trigger.oid = objid AND NOT tgisinternal AND NOT starts_with(proname, {prefix}))
  WHEN classid IN ('pg_type'::regclass, 'pg_attrdef'::regclass) THEN NULL
  ELSE pg_describe_object(classid, objid, objsubid)
END AS used
FROM pg_depend AS d WHERE refclassid = 'pg_class'::regclass AND refobjid = to_regclass({table}) AND {condition}
"""
_OF_COLUMN = """
  refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = refobjid AND attname = {column})
  AND NOT (classid = 'pg_class'::regclass AND objid = refobjid AND objsubid = refobjsubid)
UNION SELECT 'the column ' || attname FROM pg_attrdef
JOIN pg_attribute ON (attrelid, attnum) = (adrelid, adnum) AND attgenerated <> ''
WHERE adrelid = to_regclass({table}) AND EXISTS (
  SELECT FROM pg_depend WHERE classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid AND refobjid = adrelid
  AND refobjsubid = (SELECT attnum FROM pg_attribute WHERE attrelid = adrelid AND attname = {column})
  AND refobjsubid <> adnum)
"""
# The table's own constraints and columns move with the table; an index without a constraint is a dependent.
_OF_TABLE = """
  classid <> 'pg_publication_rel'::regclass
  AND NOT (classid = 'pg_constraint'::regclass AND objid IN (SELECT oid FROM pg_constraint WHERE conrelid = refobjid))
  AND NOT (classid = 'pg_class'::regclass AND objid = refobjid)
"""
_OF_FUNCTION = """
SELECT DISTINCT CASE WHEN classid = 'pg_trigger'::regclass
  THEN (SELECT 'the trigger ' || tgname FROM pg_trigger WHERE oid = objid)
  ELSE pg_describe_object(classid, objid, objsubid) END AS used
FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND deptype IN ('n', 'a') AND refobjid IN (
  SELECT oid FROM pg_proc
  WHERE proname = {name} AND pronargs = 0 AND pronamespace = quote_ident(current_schema())::regnamespace)
"""

_KEYS_BY_UNIQUE = """
SELECT 'the constraint ' || conname || ' of ' || relname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE contype = 'f' AND confrelid = to_regclass({table}) AND conindid = to_regclass({name})
"""

_UNIQUE_INDEXES = """
SELECT json_group_array(i.name) FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i
WHERE l."unique" AND NOT l.partial AND i.name IS NOT NULL GROUP BY l.name
"""

_REFERRING = """
SELECT DISTINCT s.name FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS k
WHERE s.type = 'table' AND lower(k."table") = ? ORDER BY 1
"""


def of_column(table: str, column: str, why: str, *, keeps: tuple[str, ...] = ()) -> Precondition:
    """No constraint, index, trigger, view or generated column depends on the column.

    Dependents that begin with one of `keeps` are allowed: the operation preserves those.
    """

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        if connection.dialect.name == "sqlite":
            found = sorted(set(_of_column_on_sqlite(connection, table, column)))
        else:
            names = {"table": ddl.literal(ddl.quoted(table)), "column": ddl.literal(column)}
            found = _asked(connection, _described(condition=_OF_COLUMN.format(**names), own_rules="true", **names))
        return [(each,) for each in found if not each.startswith(keeps)]

    return Precondition(why=why, rows=find, table=table, needs=(column,), script=CATALOG)


def of_table(table: str, why: str) -> Precondition:
    """No index, trigger, view or foreign key of another table depends on the table."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        if connection.dialect.name == "sqlite":
            found = sorted(set(_of_table_on_sqlite(connection, table)))
        else:
            # The table's own rules move with it.
            names = {"table": ddl.literal(ddl.quoted(table)), "own_rules": "false"}
            found = _asked(connection, _described(condition=_OF_TABLE, **names))
        return [(each,) for each in found]

    return Precondition(why=why, rows=find, table=table, script=CATALOG)


def of_unique(table: str, name: str, columns: Collection[str]) -> Precondition:
    """No foreign key refers to the columns by this unique index, or that of this unique constraint."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        if connection.dialect.name == "sqlite":
            return [(each,) for each in sorted(_keys_by_unique(connection, table, columns))]
        asked = _KEYS_BY_UNIQUE.format(table=ddl.literal(ddl.quoted(table)), name=ddl.literal(ddl.quoted(name)))
        return [(each,) for each in _asked(connection, asked)]

    why = f"{name} of {table} cannot be dropped before its dependents"
    return Precondition(why=why, rows=find, table=table, script=CATALOG)


def of_function(name: str, why: str) -> Precondition:
    """No trigger, default, view, policy or other object of the catalog calls the function, on PostgreSQL."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        names = {"name": ddl.literal(name), "prefix": ddl.literal(naming.current().prefix)}
        return [(each,) for each in _asked(connection, _OF_FUNCTION.format(**names))]

    return Precondition(why=why, rows=find, script=CATALOG)


def absent(described: str, there: str) -> Precondition:
    """What a revision creates does not exist already: `there` asks whether it does, `described` is as in `frees`."""

    def find(connection: Connection) -> list[tuple[Any, ...]]:
        return [(described,)] if predicates.ask(connection, there) else []

    cure = "Drop it earlier in the same revision, or change it by ops.execute with the old text for the downgrade"
    why = f"The revision creates {described}, which exists already"
    return Precondition(why=why, rows=find, cure=cure, script=CATALOG)


def _described(**parts: str) -> str:
    # The migrator's own triggers do not count: the contract drops them before a column moves to the trash.
    return _DESCRIBED.format(prefix=ddl.literal(naming.current().prefix), **parts)


def constraint(table: str, name: str) -> str:
    return f"the constraint {name} of {table}"


def index(name: str) -> str:
    return f"the index {name}"


def trigger(name: str) -> str:
    return f"the trigger {name}"


def function(name: str) -> str:
    return f"the function {name}"


def may_be_null(column: str, *, is_so: bool) -> str:
    return f"{column} may {'' if is_so else 'not '}be NULL"


def has_no_default(column: str) -> str:
    return f"{column} has no default"


def _asked(connection: Connection, question: str) -> list[str]:
    return sorted(used for used in connection.exec_driver_sql(question).scalars() if used)


def _of_column_on_sqlite(connection: Connection, table: str, column: str) -> Iterator[str]:
    """The objects that SQLite rewrites when the column is renamed."""
    renamed = f"ALTER TABLE {ddl.quoted(table)} RENAME COLUMN {ddl.quoted(column)} TO {_PROBE}"
    for row in schema_copy.rewritten(connection, renamed):
        if row.type != "table":
            yield f"the {row.type} {row.name}"
        elif lowered(row.name) == lowered(table):
            yield from _of_definition(parse(row.sql, row.name), column)
        else:
            yield from (constraint(row.name, name) for name in _keys_to(row, table))


def _of_table_on_sqlite(connection: Connection, table: str) -> Iterator[str]:
    for row in schema_copy.rewritten(connection, f"ALTER TABLE {ddl.quoted(table)} RENAME TO {_PROBE}"):
        if row.type != "table":
            yield f"the {row.type} {row.name}"
        elif lowered(row.name) != lowered(table):
            yield from (constraint(row.name, name) for name in _keys_to(row, table))


def _of_definition(definition: Definition, column: str) -> Iterator[str]:
    """The constraints and generated columns of a table that use one of its columns."""
    for item in definition.items:
        if item.is_constraint:
            if lowered(column) in item.names_used():
                yield constraint(definition.table, item.constraint_name or _text(item))
        elif item.column.name != lowered(column):
            if lowered(column) in item.names_used():
                yield f"the column {item.column.name}"
        else:
            yield from (constraint(definition.table, _name(each)) for each in item.column.clauses if _binds(each))


def _binds(clause: Clause) -> bool:
    return clause.kind in ("PRIMARY KEY", "UNIQUE", "CHECK", "REFERENCES")


def _name(clause: Clause) -> str:
    return clause.name or clause.kind


def _keys_by_unique(connection: Connection, table: str, columns: Collection[str]) -> Iterator[str]:
    """The foreign keys to these columns; none if they are the primary key too, or unique twice."""
    wanted = sorted(map(lowered, columns))
    listed = connection.exec_driver_sql(_UNIQUE_INDEXES, (table,)).scalars()
    unique = [*map(json.loads, listed), reflected.primary_key(connection, table)]
    if sum(sorted(map(lowered, each)) == wanted for each in unique) > 1:
        return
    for name in connection.exec_driver_sql(_REFERRING, (lowered(table),)).scalars().all():
        for key in reflected.inspector(connection).get_foreign_keys(name):
            referred = sorted(map(lowered, key["referred_columns"]))
            if lowered(key["referred_table"]) == lowered(table) and referred == wanted:
                yield constraint(name, key["name"] or f"on {', '.join(key['constrained_columns'])}")


def _keys_to(row: Row[Any], table: str) -> Iterator[str]:
    """The foreign keys to a table, by name or else by text."""
    for item in parse(row.sql, row.name).items:
        words = [token.keyword for token in item.tokens]
        names = [token.name for token in item.tokens]
        if "REFERENCES" in words and lowered(table) in names[words.index("REFERENCES") :]:
            yield (item.constraint_name if item.is_constraint else "") or _text(item)


def _text(item: Item) -> str:
    return join(item.tokens).strip()
