"""Statements that write every row of a table anew, under a lock that blocks its readers."""

from service.migrate.proof.lint.rule import Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.rules.sqlite import recreating
from service.migrate.proof.lint.rules.volatility import is_volatile
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.schema import is_constrained_domain

rules = Rules(family=Family.REWRITES)
_VIRTUAL = 18


@rules.on(
    Kind.CHANGE_TYPE,
    id="type-change-rewrites",
    advice="ops.change_type fills a shadow column in batches and swaps the two in a moment",
)
def type_change_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until every row and every index is written anew."""
    was, now = at.schema.column(at.change.table, at.change.name), at.change.column.type
    known = was.type if was is not None else ""
    # A domain without a constraint is its base type; between the two timestamps only UTC makes no difference.
    target = at.schema.domains.get(types.base(now)) or now
    free = types.is_catalog_only(known, target) or ({known, now} == {"timestamp", "timestamptz"} and _is_in_utc(at))
    if at.is_new or (known and not at.change.text and free):
        return None
    return f"{at.change.table}.{at.change.name} from {known or 'a type that the history does not tell'} to {now}"


def _is_in_utc(at: Place) -> bool:
    zones = [each.change.to for each in at.together if each.change.name.lower() == "timezone"]
    return bool(zones) and zones[-1] in ("utc", "gmt", "etc/utc")


@rules.on(
    Kind.ADD_COLUMN,
    id="volatile-default-rewrites",
    advice="ops.add_column without the default, ops.set_default, and an ops.Backfill for the rows that exist",
)
def volatile_default_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until every row has its value."""
    default = at.change.column.default
    if at.is_new or default is None or not is_volatile(default, at.schema.functions):
        return None
    return f"{at.change.table}.{at.change.name} gets another value of {default} in each row"


@rules.on(
    Kind.ADD_COLUMN,
    id="serial-column-rewrites",
    advice="ops.add_column without the default, ops.execute for the sequence, and an ops.Backfill for existing rows",
)
def serial_column_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until every row has its number."""
    column = at.change.column
    if at.is_new or not (column.is_identity or column.type in types.SERIAL):
        return None
    return f"{at.change.table}.{column.name} is {'an identity column' if column.is_identity else column.type}"


@rules.on(
    Kind.ADD_COLUMN,
    id="stored-column-rewrites",
    advice="ops.add_column, ops.follow for new rows, and an ops.Backfill for the rows that exist",
    versions="18 has VIRTUAL generated columns, which are free",
)
def stored_column_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the expression was computed for every row."""
    column = at.change.column
    # Without a word, PostgreSQL 18 computes the value when it is read; older versions know STORED alone.
    implied = column.generated == "virtual" and "virtual" not in at.change.words and at.version < _VIRTUAL
    stored = column.generated == "stored" or implied
    return f"{at.change.table}.{at.change.name} is GENERATED … STORED" if stored and not at.is_new else None


@rules.on(
    Kind.ADD_COLUMN,
    id="domain-column-rewrites",
    advice="Use the type of the domain and ops.add_check",
)
def domain_column_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the domain's constraint was checked for every row."""
    found = not at.is_new and is_constrained_domain(at.schema, at.change.column.type)
    return f"{at.change.table}.{at.change.name} is of the constrained domain {at.change.column.type}" if found else None


@rules.on(
    Kind.SET_EXPRESSION,
    id="expression-rewrites",
    advice="A new column beside it (ops.add_column, ops.follow, ops.Backfill)",
    versions="17 has SET EXPRESSION",
)
def expression_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the expression was computed for every row."""
    return None if at.is_new else f"SET EXPRESSION on {at.change.table}.{at.change.name}"


@rules.on(
    Kind.SET_LOGGED,
    id="logging-rewrites",
    advice="A new table (ops.create_table) and an ops.Backfill that moves the rows",
)
def logging_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the table and its indexes are copied."""
    return None if at.is_new or _is_so(at, "logged", "logged") else f"SET {at.change.to.upper()} on {at.change.table}"


def _is_so(at: Place, setting: str, usual: str) -> bool:
    """Whether the history knows the table, and that it has the setting already."""
    return bool(at.table.columns) and at.change.to == at.table.settings.get(setting, usual)


@rules.on(
    Kind.SET_TABLESPACE,
    id="tablespace-copies",
    advice="Move the table with the service stopped, or with pg_repack",
)
def tablespace_copies(at: Place) -> str | None:
    """Readers and writers of the table wait until the file is copied."""
    same = at.is_new or _is_so(at, "tablespace", "pg_default")
    return None if same else f"SET TABLESPACE on {at.change.table or at.change.name}"


@rules.on(
    Kind.SET_ACCESS_METHOD,
    id="access-method-rewrites",
    advice="A new table (ops.create_table) and an ops.Backfill that moves the rows",
)
def access_method_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the table is written anew."""
    same = at.is_new or _is_so(at, "access method", "heap")
    return None if same else f"SET ACCESS METHOD on {at.change.table}"


@rules.whole(
    id="batch-copies-table",
    advice="Leave recreate= out: PostgreSQL alters a table where it is",
)
def batch_copies_table(of: Whole) -> Found:
    """Requests wait until all rows are copied; triggers, policies and privileges of the table are gone then."""
    yield from recreating(of.revision.tree)


@rules.on(Kind.CLUSTER, id="cluster-rewrites", advice="Leave CLUSTER out of revisions; pg_repack sorts a table in use")
def cluster_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the table is written anew."""
    return None if at.is_new else f"CLUSTER {at.change.table}".rstrip()


@rules.on(
    Kind.VACUUM,
    id="vacuum-full-rewrites",
    advice="VACUUM without FULL, outside of a revision; pg_repack shrinks a table in use",
)
def vacuum_full_rewrites(at: Place) -> str | None:
    """Readers and writers of the table wait until the table is written anew."""
    return f"VACUUM FULL {at.change.table}".rstrip() if "full" in at.change.words else None
