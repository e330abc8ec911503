"""Statements that hold a lock, which requests wait for, while they read or build something."""

import re

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Constraint, Kind
from service.migrate.proof.lint.sql.schema import Table

rules = Rules(family=Family.LOCKS)
WEAK = ("access share", "row share", "row exclusive", "share update exclusive")


@rules.on(
    Kind.CREATE_INDEX,
    id="index-blocks-writes",
    advice="ops.create_index builds the index CONCURRENTLY",
)
def index_blocks_writes(at: Place) -> str | None:
    """Writers of the table wait until the index is built."""
    alone = "only" in at.change.words and (at.table.is_partitioned or not at.table.columns)
    if at.is_new or alone or "concurrently" in at.change.words:
        return None
    return f"CREATE INDEX {at.change.name} on {at.change.table} takes SHARE while it builds"


@rules.on(
    Kind.ADD_CONSTRAINT,
    Kind.ADD_COLUMN,
    id="unique-constraint-builds-index",
    advice="ops.add_unique builds the index concurrently and then adds the constraint with it",
)
def unique_constraint_builds_index(at: Place) -> str | None:
    """Readers and writers of the table wait until the index is built."""
    if at.is_new:
        return None
    found = [each for each in at.declared if each.kind == "unique" and not each.index]
    return f"UNIQUE on {at.change.table} builds its index under ACCESS EXCLUSIVE" if found else None


@rules.on(
    Kind.ADD_CONSTRAINT,
    Kind.ADD_COLUMN,
    id="primary-key-builds-index",
    advice="Build a unique index with ops.create_index, then ADD PRIMARY KEY USING INDEX in ops.execute",
)
def primary_key_builds_index(at: Place) -> str | None:
    """Readers and writers of the table wait until the index is built and every row was read for NULL."""
    for each in at.declared:
        if at.is_new or each.kind != "primary key":
            continue
        if not each.index:
            return f"PRIMARY KEY on {at.change.table} builds its index under ACCESS EXCLUSIVE"
        columns = at.table.indexes.get(each.index, ())
        if optional := [name for name in columns if not at.table.is_required(name)]:
            return f"PRIMARY KEY USING INDEX reads all of {at.change.table} for NULL in {', '.join(optional)}"
    return None


@rules.on(
    Kind.ADD_CONSTRAINT,
    id="exclusion-constraint-builds-index",
    advice="PostgreSQL has no concurrent way: create a new table with the constraint, and move the rows by a backfill",
)
def exclusion_constraint_builds_index(at: Place) -> str | None:
    """Readers and writers of the table wait until every row was compared."""
    found = not at.is_new and at.change.constraint.kind == "exclude"
    return f"EXCLUDE on {at.change.table} builds its index under ACCESS EXCLUSIVE" if found else None


@rules.on(
    Kind.ADD_CONSTRAINT,
    Kind.ADD_COLUMN,
    Kind.ALTER_CONSTRAINT,
    id="foreign-key-validates-rows",
    advice="ops.add_foreign_key adds the key NOT VALID and validates it in a transaction of its own",
)
def foreign_key_validates_rows(at: Place) -> str | None:
    """Writers of both tables wait until every row was looked up."""
    if at.is_new:
        return None
    if at.change.kind is Kind.ALTER_CONSTRAINT:
        enforced = re.search(r"(?<!not )\benforced\b", at.change.text, re.IGNORECASE)
        return f"{at.change.name} becomes ENFORCED, which reads all of {at.change.table}" if enforced else None
    # PostgreSQL does not look at rows of a new column that is NULL in all of them.
    if at.change.kind is Kind.ADD_COLUMN and at.change.column.default in (None, "null", "NULL"):
        return None
    found = [each for each in at.declared if each.kind == "foreign key" and each.is_valid]
    return f"The foreign key to {found[0].referred} reads all of {at.change.table} under its locks" if found else None


@rules.on(
    Kind.ADD_CONSTRAINT,
    Kind.ADD_COLUMN,
    id="check-validates-rows",
    advice="ops.add_check adds the constraint NOT VALID and validates it in a transaction of its own",
)
def check_validates_rows(at: Place) -> str | None:
    """Readers and writers of the table wait until every row was checked."""
    if at.is_new or not [each for each in at.declared if each.kind == "check" and each.is_valid]:
        return None
    return f"CHECK on {at.change.table} reads all rows under ACCESS EXCLUSIVE"


@rules.on(
    Kind.SET_NOT_NULL,
    Kind.ADD_CONSTRAINT,
    id="not-null-scans-rows",
    advice="ops.set_not_null proves it first by a CHECK that is validated without blocking requests",
    versions="18 has NOT NULL constraints that may be NOT VALID",
)
def not_null_scans_rows(at: Place) -> str | None:
    """Readers and writers of the table wait until every row was read."""
    change = at.change
    is_constraint = change.kind is Kind.ADD_CONSTRAINT
    if is_constraint and (change.constraint.kind != "not null" or not change.constraint.is_valid):
        return None
    name = change.name if change.kind is Kind.SET_NOT_NULL else change.constraint.columns[0]
    if at.is_new or at.table.is_required(name):
        return None
    return f"SET NOT NULL on {change.table}.{name} reads all rows under ACCESS EXCLUSIVE"


@rules.on(
    Kind.VALIDATE_CONSTRAINT,
    id="validates-under-the-lock-of-add",
    advice="Validate in a transaction of its own: ops.add_check and ops.add_foreign_key do",
)
def validates_under_the_lock_of_add(at: Place) -> str | None:
    """Requests wait until every row was checked, since the lock of ADD CONSTRAINT is kept until COMMIT."""
    added = [
        each
        for each in at.together
        if each.change.kind is Kind.ADD_CONSTRAINT
        and (each.change.table, each.change.name) == (at.change.table, at.change.name)
    ]
    found = added and not at.is_new and not at.call.alone
    return f"VALIDATE CONSTRAINT {at.change.name} runs in the transaction that adds it" if found else None


@rules.on(
    Kind.ATTACH_PARTITION,
    id="attach-scans-partition",
    advice="Add a validated CHECK with the partition's bounds before (ops.add_check), so that no row is read",
)
def attach_scans_partition(at: Place) -> str | None:
    """Requests to the partition wait until every row was checked; those to the default partition too."""
    if at.change.to in at.created or _proves(at, at.change.to):
        return None
    return f"ATTACH PARTITION {at.change.to} reads all of its rows under ACCESS EXCLUSIVE"


@rules.on(
    Kind.ATTACH_PARTITION,
    Kind.CREATE_TABLE,
    id="partition-scans-default",
    advice="Add a validated CHECK to the default partition before, which excludes the bounds of the new one",
)
def partition_scans_default(at: Place) -> str | None:
    """Requests to the default partition wait until every row of it was read for rows of the new one."""
    parent = at.change.to if at.change.kind is Kind.CREATE_TABLE else at.change.table
    default = at.schema.table(parent).default_partition
    if not default or default in at.created or _proves(at, default):
        return None
    return f"{at.change.kind} of {parent} reads all rows of {default} under ACCESS EXCLUSIVE"


@rules.whole(
    id="foreign-key-without-index",
    level=Level.WARNING,
    databases=(PG, SQLITE),
    advice="ops.create_index on the columns of the key, before the key",
)
def foreign_key_without_index(of: Whole) -> Found:
    """A DELETE or a new key of a row that others refer to reads all rows of the table, and its lock lasts so long."""
    for place in of.places:
        change = place.change
        table = of.after.table(change.table)
        for key in place.declared:
            if key.kind == "foreign key" and not _has_index_on(table, key.columns):
                yield (
                    place.call.line,
                    f"{change.table} ({', '.join(key.columns)}) refers to {key.referred}, without an index",
                )


def _has_index_on(table: Table, columns: tuple[str, ...]) -> bool:
    """Whether an index begins with the columns, in any order."""
    keys = (each.columns for each in table.constraints if _has_index(each))
    return any(set(each[: len(columns)]) == set(columns) for each in (*table.indexes.values(), *keys))


def _proves(at: Place, partition: str) -> bool:
    """Whether a valid CHECK of the partition has each value of the bounds: any other proves nothing of them."""
    bounds = re.findall(r"'(?:[^']|'')*'|-?\b\d[\w.]*", at.change.text.lower().partition("for values")[2])
    checks = (each for each in at.schema.table(partition).constraints if each.kind == "check" and each.is_valid)
    return any(bounds and all(bound in each.expression.lower() for bound in bounds) for each in checks)


@rules.on(
    Kind.DETACH_PARTITION,
    id="detaches-partition",
    level=Level.WARNING,
    blocks=False,
    advice="DETACH PARTITION … CONCURRENTLY, outside of a transaction, when no version reads the rows any more",
)
def detaches_partition(at: Place) -> str | None:
    """Queries no longer find the rows; without CONCURRENTLY they wait behind the lock, which waits for older ones."""
    return f"{at.change.to} is detached from {at.change.table}" if not at.is_new else None


@rules.on(
    Kind.CHANGE_TYPE,
    id="collation-rebuilds-index",
    advice="ops.change_type, with the indexes dropped before and created again in contract()",
)
def collation_rebuilds_index(at: Place) -> str | None:
    """Readers and writers of the table wait until the indexes of the column are built again."""
    name = at.change.name
    used = [index for index, columns in at.table.indexes.items() if name in columns]
    used += [each.name or each.kind for each in at.table.constraints if name in each.columns and _has_index(each)]
    if at.is_new or "collate" not in at.change.words or not used:
        return None
    return f"The collation of {at.change.table}.{name} changes, and {', '.join(used)} is built again"


def _has_index(constraint: Constraint) -> bool:
    return constraint.kind in ("unique", "primary key", "exclude")


@rules.on(
    Kind.REFRESH,
    id="refresh-blocks-reads",
    advice="REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view",
)
def refresh_blocks_reads(at: Place) -> str | None:
    """Readers of the materialized view wait until its query has run."""
    if "concurrently" in at.change.words:
        return None
    return f"REFRESH MATERIALIZED VIEW {at.change.name} takes ACCESS EXCLUSIVE"


@rules.on(
    Kind.REINDEX,
    id="reindex-blocks-writes",
    advice="REINDEX … CONCURRENTLY, outside of a revision",
)
def reindex_blocks_writes(at: Place) -> str | None:
    """Writers of the table, and readers that use the index, wait until the index is built."""
    return None if "concurrently" in at.change.words else f"REINDEX {at.change.name} without CONCURRENTLY"


@rules.on(
    Kind.LOCK,
    id="locks-table",
    # By itself the lock is gone at once: `long-work-under-a-lock` is about what follows.
    blocks=False,
    advice="Leave LOCK TABLE out: a safe operation takes the lock of each step itself, for a moment",
)
def locks_table(at: Place) -> str | None:
    """Requests to the table wait until the transaction of the revision commits."""
    if at.is_new or at.change.to in WEAK:
        return None
    return f"LOCK TABLE {at.change.table} in {at.change.to.upper()} mode"


@rules.on(
    Kind.ALTER_DOMAIN,
    id="domain-constraint-scans-tables",
    advice="NOT VALID, and no VALIDATE, which blocks writers too; or the base type of the domain and ops.add_check",
)
def domain_constraint_scans_tables(at: Place) -> str | None:
    """Writers of every table with a column of the domain wait until all their rows were checked."""
    words = at.change.words
    adds = {"add"} <= words and "valid" not in words
    requires = {"set", "not", "null"} <= words
    if "validate" in words:
        return f"ALTER DOMAIN {at.change.name} VALIDATE CONSTRAINT locks the tables with the domain against writers"
    return f"ALTER DOMAIN {at.change.name} checks all columns of the domain" if adds or requires else None


@rules.on(
    Kind.CHANGE_TYPE,
    id="type-change-rechecks-rows",
    advice="Drop the CHECK before and add it again in contract() (ops.drop_constraint, ops.add_check)",
)
def type_change_rechecks_rows(at: Place) -> str | None:
    """Readers and writers of the table wait until the CHECK was evaluated for every row."""
    was = at.schema.column(at.change.table, at.change.name)
    free = was is not None and types.is_catalog_only(was.type, at.change.column.type) and not at.change.text
    checks = [each for each in at.table.checks(at.change.name) if each.is_valid]
    if at.is_new or not free or not checks or was is None or was.type == at.change.column.type:
        return None
    return f"{at.change.table}.{at.change.name} has a CHECK, which the longer type evaluates for all rows"
