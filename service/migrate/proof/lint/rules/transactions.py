"""What a revision does with transactions, time limits and rows, so that requests wait or the run fails."""

import re

from service.migrate.proof.lint.calls import Style
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.TRANSACTIONS)
_BOTH = (PG, SQLITE)
_LONGEST_SECONDS = 1.0


@rules.on(
    Kind.CREATE_INDEX,
    Kind.REINDEX,
    Kind.REFRESH,
    Kind.DROP_INDEX,
    Kind.VACUUM,
    id="not-in-a-transaction",
    advice="ops.create_index and ops.drop_index run outside of a transaction; op needs autocommit_block()",
)
def not_in_a_transaction(at: Place) -> str | None:
    """The revision fails, since PostgreSQL does not run the statement inside of a transaction."""
    outside = (
        "concurrently" in at.change.words and at.change.kind is not Kind.REFRESH
    ) or at.change.kind is Kind.VACUUM
    if at.call.alone or not outside:
        return None
    return f"{at.change.kind} {at.change.name or at.change.table} runs inside of a transaction".replace("  ", " ")


@rules.on(
    Kind.CREATE_INDEX,
    id="accepts-invalid-index",
    advice="ops.create_index drops an invalid index and builds it again",
)
def accepts_invalid_index(at: Place) -> str | None:
    """Queries stay slow and duplicates stay possible: the second run accepts the INVALID index of a failed one."""
    found = {"concurrently", "if", "exists"} <= at.change.words
    return f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {at.change.name}" if found else None


@rules.on(
    Kind.CREATE_INDEX,
    Kind.ADD_CONSTRAINT,
    id="not-on-a-partitioned-table",
    advice="Create the index on each partition CONCURRENTLY and attach it; see PostgreSQL's manual, 5.12.2.2",
    versions="before 18 a foreign key of a partitioned table cannot be NOT VALID",
)
def not_on_a_partitioned_table(at: Place) -> str | None:
    """The revision fails: PostgreSQL does not do this to a partitioned table."""
    if not at.table.is_partitioned:
        return None
    if at.change.kind is Kind.CREATE_INDEX:
        return f"CREATE INDEX CONCURRENTLY on {at.change.table}" if "concurrently" in at.change.words else None
    key = at.change.constraint
    found = key.kind == "foreign key" and not key.is_valid and at.version < 18
    return f"FOREIGN KEY … NOT VALID on {at.change.table}" if found else None


# What the first version that knows it is found by.
_SINCE = {
    18: re.compile(
        r"\)\s*VIRTUAL\b|\bADD (CONSTRAINT \S+ )?NOT NULL\b|\bNOT ENFORCED\b|WITHOUT OVERLAPS|\buuidv7", re.IGNORECASE
    ),
    17: re.compile(r"\bSET EXPRESSION\b|\bMERGE PARTITIONS\b|\bJSON_TABLE\b", re.IGNORECASE),
    16: re.compile(r"\bSTORAGE DEFAULT\b|\bany_value\b", re.IGNORECASE),
}


@rules.on(
    Kind.ADD_COLUMN,
    Kind.ADD_CONSTRAINT,
    Kind.SET_EXPRESSION,
    Kind.CREATE_TABLE,
    Kind.OTHER,
    Kind.SET_DEFAULT,
    id="needs-newer-version",
    advice="What the oldest version knows too, or --postgresql-version with the version that you run",
    versions="16 to 18 each have statements that older ones refuse",
)
def needs_newer_version(at: Place) -> str | None:
    """The revision fails on the older servers."""
    known = [version for version, found in _SINCE.items() if version > at.version and found.search(at.call.text)]
    return f"{at.change.kind} as only PostgreSQL {max(known)} knows it" if known else None


@rules.on(
    Kind.INSERT,
    Kind.UPDATE,
    Kind.SET_DEFAULT,
    Kind.ADD_COLUMN,
    id="uses-new-enum-value",
    advice="Use the value in a later revision, or text with a CHECK instead of an enum",
)
def uses_new_enum_value(at: Place) -> str | None:
    """The revision fails on a database that exists: a new value is usable once its transaction has committed."""
    added = [each.change.to for each in at.together if each.change.kind is Kind.ADD_ENUM_VALUE]
    used = [each for each in added if each and f"'{each}'" in at.call.text]
    return f"{at.change.kind} uses the new value {used[0]!r}" if used and not at.call.alone else None


@rules.on(
    Kind.TRANSACTION,
    id="ends-the-transaction",
    databases=_BOTH,
    advice="Leave BEGIN, COMMIT and ROLLBACK out: the migrator makes the transactions",
)
def ends_the_transaction(at: Place) -> str | None:
    """A failure after it leaves the revision half applied, since the migrator's transaction has ended."""
    return f"{at.change.name.upper()} in {at.call.phase}()"


@rules.on(
    Kind.SET,
    id="waits-longer-for-locks",
    advice="Leave lock_timeout out: the migrator waits 50 ms and tries again",
)
def waits_longer_for_locks(at: Place) -> str | None:
    """Requests queue behind the statement that waits for its lock, as long as lock_timeout is."""
    if at.change.name.lower() not in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        return None
    seconds = _seconds(at.change.to)
    if at.change.name.lower() != "lock_timeout" or (seconds is not None and 0 < seconds < _LONGEST_SECONDS):
        return None
    return f"lock_timeout is set to {at.change.to}, beyond deadlock_timeout (1 s)"


def _seconds(text: str) -> float | None:
    found = re.fullmatch(r"(\d+)(ms|s|min|h)?", text.replace(" ", ""))
    if found is None:
        return None
    return int(found[1]) * {"ms": 0.001, "s": 1, "min": 60, "h": 3600, None: 0.001}[found[2]]


@rules.on(
    Kind.SELECT,
    Kind.OTHER,
    id="waits-in-the-transaction",
    advice="Leave it out: the migrator holds its own advisory lock, and waits between transactions",
)
def waits_in_the_transaction(at: Place) -> str | None:
    """Every lock of the revision is held while it waits; CREATE INDEX CONCURRENTLY deadlocks with a waiting lock."""
    found = re.search(r"\b(pg_sleep\w*|pg_advisory_(?:xact_)?lock\w*)\s*\(", at.change.text, re.IGNORECASE)
    return f"{found[1]} in {at.call.phase}()" if found else None


@rules.on(
    Kind.ADD_COLUMN,
    Kind.DROP_COLUMN,
    Kind.CHANGE_TYPE,
    Kind.CREATE_INDEX,
    Kind.ADD_CONSTRAINT,
    Kind.LOCK,
    Kind.CREATE_TRIGGER,
    id="understated-lock",
    advice="Pass lock=ops.Lock.ACCESS_EXCLUSIVE, so that the step has the limits of a blocking lock",
)
def understated_lock(at: Place) -> str | None:
    """Requests wait without a limit: the step is run as one that blocks nothing."""
    declared = at.call.declared
    if at.call.style is not Style.RAW or declared is None or declared.keeps_requests_waiting or at.is_new:
        return None
    concurrent = "concurrently" in at.change.words or not at.change.table
    return None if concurrent else f"{at.change.kind} on {at.change.table} is declared with the lock {declared}"
