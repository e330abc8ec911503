"""What SQLite does not do, or does with a loss."""

import ast
import re

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Style
from service.migrate.proof.lint.rule import SQLITE, Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.SQLITE, databases=(SQLITE,))
# ALTER TABLE of SQLite renames, and adds or drops columns.
_UNKNOWN = (
    *(
        Kind.CHANGE_TYPE,
        Kind.SET_NOT_NULL,
        Kind.DROP_NOT_NULL,
        Kind.SET_DEFAULT,
        Kind.DROP_DEFAULT,
        Kind.SET_EXPRESSION,
    ),
    *(
        Kind.ADD_CONSTRAINT,
        Kind.DROP_CONSTRAINT,
        Kind.VALIDATE_CONSTRAINT,
        Kind.ATTACH_PARTITION,
        Kind.DETACH_PARTITION,
    ),
    *(Kind.SET_LOGGED, Kind.SET_TABLESPACE, Kind.SET_SCHEMA, Kind.ROW_SECURITY, Kind.SWITCH_TRIGGER, Kind.ALTER_OTHER),
    *(
        Kind.TRUNCATE,
        Kind.CREATE_FUNCTION,
        Kind.DROP_FUNCTION,
        Kind.CREATE_ENUM,
        Kind.ADD_ENUM_VALUE,
        Kind.CREATE_DOMAIN,
    ),
    *(Kind.ALTER_DOMAIN, Kind.CREATE_POLICY, Kind.CREATE_PUBLICATION, Kind.GRANT, Kind.REVOKE, Kind.CLUSTER, Kind.LOCK),
    *(Kind.CREATE_SEQUENCE, Kind.ALTER_SEQUENCE, Kind.DROP_SEQUENCE, Kind.RESTART, Kind.CREATE_RULE, Kind.COMMENT),
    *(Kind.ALTER_PUBLICATION, Kind.DROP_PUBLICATION, Kind.DROP_EXTENSION, Kind.CHANGE_OWNER, Kind.REPLICA_IDENTITY),
    *(Kind.ADD_IDENTITY, Kind.DROP_IDENTITY, Kind.ALTER_CONSTRAINT, Kind.RENAME_OTHER, Kind.RENAME_SCHEMA, Kind.COPY),
    *(Kind.CALL, Kind.DROP_TYPE, Kind.SET_ACCESS_METHOD),
    *(Kind.SET, Kind.REFRESH, Kind.DROP_WHOLE, Kind.RENAME_ENUM_VALUE, Kind.DROP_POLICY),
)


@rules.on(
    *_UNKNOWN,
    Kind.CREATE_INDEX,
    Kind.DROP_INDEX,
    Kind.OTHER,
    id="sqlite-unknown-statement",
    advice="ops.execute takes a list of statements for each database; the safe operations know both",
)
def sqlite_unknown_statement(at: Place) -> str | None:
    """The revision fails on SQLite, which does not know the statement."""
    if at.call.is_directive:
        return None
    if at.change.kind in (Kind.CREATE_INDEX, Kind.DROP_INDEX):
        return f"{at.change.kind} CONCURRENTLY {at.change.name}" if "concurrently" in at.change.words else None
    if at.change.kind is Kind.OTHER:
        foreign = re.match(r"(comment|alter|do|create extension|notify)\b", at.change.text, re.IGNORECASE)
        return " ".join(at.change.text.split()[:3]) if foreign else None
    return f"{at.change.kind} {at.change.table or at.change.name}".strip()


@rules.on(
    Kind.ADD_COLUMN,
    id="sqlite-add-column-limit",
    advice="ops.add_column rebuilds the table where SQLite has no such ADD COLUMN",
)
def sqlite_add_column_limit(at: Place) -> str | None:
    """The revision fails on SQLite, or fails there once the table has a row."""
    column = at.change.column
    if at.call.style is Style.SAFE or at.call.is_directive:
        return None
    default = (column.default or "").lower()
    reasons = {
        "is a key": column.has("primary key") or column.has("unique"),
        "is NOT NULL without a default": not column.is_nullable and default in ("", "null"),
        "has a default that is no constant": default.startswith(("(", "current_")),
        "is GENERATED … STORED": column.generated == "stored",
        "refers to a table and has a default": column.has("foreign key") and default not in ("", "null"),
    }
    found = [reason for reason, is_so in reasons.items() if is_so]
    return f"{at.change.table}.{column.name} {' and '.join(found)}" if found else None


@rules.on(
    Kind.DROP_COLUMN,
    id="sqlite-drop-column-limit",
    advice="ops.drop_column; drop the index or the constraint first (ops.drop_index, ops.drop_constraint)",
)
def sqlite_drop_column_limit(at: Place) -> str | None:
    """The revision fails on SQLite, which drops no column that a key, an index, a check or a foreign key uses."""
    name, table = at.change.name, at.table
    used = [index for index, columns in table.indexes.items() if name in columns]
    used += [each.name or each.kind for each in (*table.constraints, *table.checks(name)) if name in each.columns]
    if at.call.style is Style.SAFE or at.call.is_directive or not used:
        return None
    return f"{', '.join(dict.fromkeys(used))} uses {at.change.table}.{name}"


@rules.on(
    Kind.PRAGMA,
    id="sqlite-pragma",
    advice="Leave it out: the migrator turns foreign keys off before BEGIN, and checks them before COMMIT",
)
def sqlite_pragma(at: Place) -> str | None:
    """References between rows or tables break: the pragma has no effect in a transaction, or keeps old names."""
    known = ("foreign_keys", "writable_schema", "legacy_alter_table", "ignore_check_constraints")
    return f"PRAGMA {at.change.name} in {at.call.phase}()" if at.change.name in known and at.change.to else None


@rules.on(
    Kind.INSERT,
    id="sqlite-replaces-rows",
    advice="INSERT … ON CONFLICT DO UPDATE, which both databases have",
)
def sqlite_replaces_rows(at: Place) -> str | None:
    """Rows of other tables are gone: REPLACE deletes the old row, and ON DELETE CASCADE the rows that refer to it."""
    return f"INSERT OR REPLACE INTO {at.change.table}" if {"replace"} <= at.change.words and not at.is_new else None


@rules.whole(
    id="sqlite-manual-rebuild",
    advice="op.alter_column or a safe operation: the migrator rebuilds the table with everything that is on it",
)
def sqlite_manual_rebuild(of: Whole) -> Found:
    """Triggers, indexes and views of the table are gone; with foreign_keys=ON the rows that refer to it too."""
    dropped = {
        each.change.table: each for each in of.places if each.change.kind is Kind.DROP_TABLE and not each.is_safe
    }
    for each in of.places:
        is_back = each.change.kind is Kind.RENAME_TABLE and not each.is_safe and each.change.table in each.created
        if is_back and each.change.to in dropped:
            yield dropped[each.change.to].call.line, f"{each.change.to} is dropped, and a copy takes its name"


@rules.whole(
    id="sqlite-batch-recreate",
    level=Level.ERROR,
    advice="Leave recreate= out, or write op.alter_column without a batch",
)
def sqlite_batch_recreate(of: Whole) -> Found:
    """Triggers, checks and collations of the table are gone after Alembic's rebuild; this migrator refuses it."""
    yield from recreating(of.revision.tree)


def recreating(tree: ast.Module) -> Found:
    """The lines of the batches that copy their table."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("batch_alter_table"):
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if given.get("recreate") == "'always'":
                yield node.lineno, "batch_alter_table with recreate='always'"
