"""Which operations are refused on a table or column with an attribute, why, and what to do instead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column

from service.migrate.dialects import ddl
from service.migrate.dialects.attributes import Attribute, Found

# The declared operation, and what was found: whether the operation is safe all the same.
Excuse: TypeAlias = Callable[[Any, Found], bool]

# Names of operations, as `survey` gives them. A set_not_null with `fill` has a trigger and a backfill.
FILL = "set_not_null(fill)"
REFERENCED = "foreign key to the table"
REPLACES_COLUMN = frozenset({"rename_column", "change_type"})
# Their triggers must run for every row that is written.
HAS_TRIGGER = REPLACES_COLUMN | {FILL, "follow"}
HAS_KEY = HAS_TRIGGER | {"rename_table"}
# The triggers of change_type are on PostgreSQL alone, where a trigger needs no key.
HAS_UNIQUE_KEY = (HAS_KEY | {"backfill"}) - {"change_type"}
WRITES_ROWS = HAS_TRIGGER | {"backfill"}
OF_INDEXES = frozenset({"add_unique", "create_index", "drop_index", "replace_index"})
OF_CONSTRAINTS = frozenset({"add_check", "add_foreign_key", "drop_constraint", "replace_constraint"})
OF_COLUMNS = REPLACES_COLUMN | {"add_column", "drop_column"}
OF_TABLES = frozenset({"drop_table", "rename_table"})
ALTERS = (
    OF_COLUMNS
    | OF_TABLES
    | OF_INDEXES
    | OF_CONSTRAINTS
    | {FILL, "set_not_null", "drop_not_null", "set_default", "set_comment", "follow"}
)
ALL = ALTERS | {"trigger", "drop_trigger", "backfill", REFERENCED}
# They count or check rows, or decide by the rows whether the trash is needed.
READS_ROWS = ALL - {"trigger", "drop_trigger", "set_default", "set_comment"}

# https://www.sqlite.org/stricttables.html
_STRICT_TYPES = ("INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The refused operations; the reason after the name of the column or table, with fields of `Found`; the cure."""

    operations: frozenset[str]
    reason: str
    cure: str
    unless: Excuse = lambda _operation, _found: False


def defined(operation: Any) -> Column[Any] | None:
    """The definition of the column that the operation makes."""
    found = getattr(operation, "new", None) if hasattr(operation, "new") else getattr(operation, "column", None)
    return found if isinstance(found, Column) else None


def _has_collation(operation: Any, _found: Found) -> bool:
    column = defined(operation)
    return column is not None and getattr(column.type, "collation", None) is not None


def _is_strict(operation: Any, _found: Found) -> bool:
    column = defined(operation)
    return column is None or ddl.type_text(column, "sqlite").upper() in _STRICT_TYPES


def _is_of_check(operation: Any, _found: Found) -> bool:
    one = getattr(operation, "added", getattr(operation, "was", None))
    return hasattr(one, "condition")


def _is_unlogged(operation: Any, _found: Found) -> bool:
    # Of a table in the database, `refuse_attributes` compares the two tables.
    return "UNLOGGED" in getattr(getattr(operation, "table", None), "_prefixes", ())


def _has_default(operation: Any, _found: Found) -> bool:
    before = getattr(operation, "was", getattr(operation, "old", None))
    return before.server_default is not None if isinstance(before, Column) else before is not None


def _keeps_not_null(operation: Any, _found: Found) -> bool:
    # A dropped column with a default goes to the trash as it is.
    dropped = getattr(operation, "column", None)
    return isinstance(dropped, Column) and dropped.server_default is not None


_BY_HAND = "Change it by a revision of its own SQL, with ops.execute"
_PARENT_ROWS = "rows of the child {name} would not fire the triggers of this table"

RULES: dict[Attribute, Rule] = {
    Attribute.OTHER_OWNER: Rule(
        operations=ALTERS | {"drop_trigger"},
        reason="belongs to the role {name}, of which the migrating role {definition} is not a member",
        cure="Run the migration as the owner, or GRANT {name} TO {definition}",
    ),
    Attribute.UNREADABLE: Rule(
        operations=READS_ROWS,
        reason="cannot be read by the migrating role {name}, which has to check its rows",
        cure="GRANT SELECT on the table to {name}",
    ),
    Attribute.UNREFERABLE: Rule(
        operations=frozenset({REFERENCED}),
        reason="is of another role, and the migrating role {name} may not refer to it",
        cure="GRANT REFERENCES on the table to {name}",
    ),
    Attribute.HIDDEN_ROWS: Rule(
        operations=READS_ROWS,
        reason="has row security, whose policies hide rows from the migrating role {definition}",
        cure="Run the migration as a role with BYPASSRLS, or as the owner after "
        "ALTER TABLE … NO FORCE ROW LEVEL SECURITY",
    ),
    Attribute.SECURITY_LABEL: Rule(
        operations=REPLACES_COLUMN,
        reason="has the security label {definition} of {name}, which a new column would not have",
        cure="Remove the label, and set it again after the migration",
    ),
    Attribute.RULE: Rule(
        operations=WRITES_ROWS | {"rename_table"},
        reason="has the rule {name}, which rewrites INSERT, UPDATE or DELETE",
        cure="Replace the rule by a trigger",
    ),
    Attribute.DEFAULT: Rule(
        operations=REPLACES_COLUMN | {"set_default"},
        reason="has the default {definition}, which the revision does not state as the default before",
        cure="Add it to the definitions as server_default, or to ops.set_default as was=",
        unless=_has_default,
    ),
    Attribute.NOT_NULL: Rule(
        operations=frozenset({"rename_column", "drop_column", "drop_not_null"}),
        reason="has the NOT NULL constraint {name}, which an undo would set again without {definition}",
        cure="Take that off before; on PostgreSQL the name becomes <table>_<column>_not_null by ALTER TABLE … RENAME "
        "CONSTRAINT {name} TO …",
        unless=_keeps_not_null,
    ),
    Attribute.NOT_NULL_NOT_VALID: Rule(
        operations=REPLACES_COLUMN | {FILL, "set_not_null", "drop_column", "drop_not_null"},
        reason="has the NOT NULL constraint {name} NOT VALID, so that existing rows may be NULL",
        cure="Fill these rows by an ops.Backfill, then ALTER TABLE … VALIDATE CONSTRAINT {name} by ops.execute",
    ),
    Attribute.OWNED_SEQUENCE: Rule(
        operations=frozenset({"rename_column"}),
        reason="owns the sequence {name}: each insert would take a number for the old and for the new column",
        cure="Rename it by a revision of its own SQL (ALTER TABLE … RENAME COLUMN), with the service stopped",
    ),
    Attribute.SHARED_SEQUENCE: Rule(
        operations=frozenset({"drop_column", "drop_table"}),
        reason="owns the sequence {name}, from which {definition} takes its default: purge could not drop it",
        cure="ALTER SEQUENCE {name} OWNED BY {definition}",
    ),
    Attribute.IDENTITY: Rule(
        operations=REPLACES_COLUMN | {"drop_column", "drop_not_null", "set_default"},
        reason="is an identity column (GENERATED {definition})",
        cure="ALTER COLUMN … DROP IDENTITY before, by ops.execute, or keep the column",
    ),
    Attribute.GENERATED: Rule(
        operations=REPLACES_COLUMN | {FILL, "set_default", "follow"},
        reason="is a generated column, whose values the database computes",
        cure="Add another column in its place, and drop this one in contract()",
    ),
    Attribute.PRIMARY_KEY: Rule(
        operations=frozenset({"rename_column", "drop_column"}),
        reason="is a column of the primary key",
        cure="Add a column with a unique constraint, and keep the primary key",
    ),
    Attribute.ROWID: Rule(
        operations=frozenset({"change_type"}),
        reason="is INTEGER PRIMARY KEY, and with another type would get no values of its own",
        cure="Keep the type: on SQLite an INTEGER holds 64 bits",
    ),
    Attribute.AUTOINCREMENT: Rule(
        operations=frozenset({"change_type"}),
        reason="is INTEGER PRIMARY KEY AUTOINCREMENT, which SQLite allows for no other type",
        cure="Keep the type: on SQLite an INTEGER holds 64 bits",
    ),
    Attribute.COLLATION: Rule(
        operations=REPLACES_COLUMN,
        reason="has the collation {definition}, which the revision's definition of the column lacks",
        cure="Add the collation to the type in the revision, such as sa.Text(collation=…)",
        unless=_has_collation,
    ),
    Attribute.EXTENDED_STATISTICS: Rule(
        operations=REPLACES_COLUMN | {"drop_column"},
        reason="is in the extended statistics {name}",
        cure="DROP STATISTICS {name} before, and create them again after the contract",
    ),
    Attribute.UNIDENTIFIED_ROWS: Rule(
        operations=WRITES_ROWS - {"follow"},
        reason="is published by {name} without a replica identity, so that no UPDATE is possible",
        cure="ALTER TABLE … REPLICA IDENTITY FULL, or add a primary key",
    ),
    Attribute.SUBSCRIPTION: Rule(
        operations=OF_TABLES | {"rename_column", "drop_column"},
        reason="receives rows by the subscription {name}, which finds tables and columns by their names",
        cure="Drop the table from the subscription before, or add a column in place of a rename",
    ),
    Attribute.UNLOGGED: Rule(
        operations=frozenset({REFERENCED}),
        reason="is unlogged, and a table that is logged cannot refer to it",
        cure="ALTER TABLE … SET LOGGED before",
        unless=_is_unlogged,
    ),
    Attribute.TEMPORARY: Rule(
        operations=ALL, reason="is a temporary table, which ends with its session", cure="Name a permanent table"
    ),
    Attribute.PARTITIONED: Rule(
        operations=OF_INDEXES | {"add_foreign_key", "drop_constraint", "replace_constraint", "change_type"},
        reason="is partitioned ({definition}), and PostgreSQL can neither build an index CONCURRENTLY on it nor add a "
        "foreign key NOT VALID",
        cure="Build the index on each partition, then create it ON ONLY the table and attach the others by hand",
        unless=_is_of_check,
    ),
    Attribute.PARTITION_KEY: Rule(
        operations=REPLACES_COLUMN | {"drop_column"},
        reason="is in the partition key {definition}",
        cure="Create a table with the other key, and copy the rows by a backfill",
    ),
    Attribute.PARTITION: Rule(
        operations=OF_COLUMNS | {"drop_table", "drop_not_null", "drop_constraint", "replace_constraint", "drop_index"},
        reason="is a partition of {name}, and has its definition",
        cure="Change {name} instead, or detach the partition before",
    ),
    Attribute.INHERITANCE_PARENT: Rule(
        operations=HAS_TRIGGER | {"drop_table"},
        reason=f"has a child by inheritance: {_PARENT_ROWS}",
        cure="ALTER TABLE {name} NO INHERIT before, or change both by ops.execute",
    ),
    Attribute.INHERITANCE_CHILD: Rule(
        operations=frozenset({"drop_table"}),
        reason="is a child of {name}, which would still show its rows",
        cure="ALTER TABLE … NO INHERIT {name} before",
    ),
    Attribute.INHERITED_COLUMN: Rule(
        operations=REPLACES_COLUMN | {"drop_column", "drop_not_null"},
        reason="is inherited",
        cure="Change the parent instead, or ALTER TABLE … NO INHERIT before",
    ),
    Attribute.FOREIGN_TABLE: Rule(
        operations=ALL - {"backfill"},
        reason="is a foreign table: only its server can change it",
        cure="Change the table on its own server, then the foreign table by ops.execute",
    ),
    Attribute.TYPED_TABLE: Rule(
        operations=OF_COLUMNS,
        reason="is a table of the type {definition}, which determines its columns",
        cure="ALTER TABLE … NOT OF before",
    ),
    Attribute.ROW_TYPE: Rule(
        operations=frozenset({"change_type", "drop_table"}),
        reason="is a type as well, which the {name} uses",
        cure="Drop or change the {name} before",
    ),
    Attribute.EXTENSION_MEMBER: Rule(
        operations=ALTERS,
        reason="belongs to the extension {name}, whose scripts change it",
        cure="ALTER EXTENSION {name} DROP TABLE … before, or leave the table to the extension",
    ),
    Attribute.VIEW: Rule(
        operations=ALTERS | {REFERENCED},
        reason="is a view",
        cure="Change the table that the view reads, and the view by ops.execute",
    ),
    Attribute.STRICT: Rule(
        operations=frozenset({"add_column", "rename_column", "change_type"}),
        reason="is a STRICT table, which has no columns of the declared type",
        cure=f"Declare one of {', '.join(_STRICT_TYPES)}, for instance by with_variant(…, 'sqlite')",
        unless=_is_strict,
    ),
    Attribute.VIRTUAL_TABLE: Rule(
        operations=ALL - {"backfill"},
        reason="is a virtual table or belongs to one: its module determines its columns",
        cure="Create another virtual table by ops.execute, and fill it by a backfill",
    ),
    Attribute.UNKNOWN_RELATION: Rule(
        operations=ALL,
        reason="is of a kind that this program does not know ({definition})",
        cure=_BY_HAND,
    ),
    Attribute.UNKNOWN_DEPENDENT: Rule(
        operations=ALL,
        reason="has a dependent that this program does not know: {name} ({definition})",
        cure=_BY_HAND,
    ),
}


def rule(operation: str, attribute: Attribute) -> Rule | None:
    """The rule that refuses the operation on something with this attribute; `None` if it is safe."""
    found = RULES.get(attribute)
    return found if found is not None and (operation in found.operations or operation not in ALL) else None
