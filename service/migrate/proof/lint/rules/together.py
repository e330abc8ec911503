"""Statements that one transaction has together: a lock is held while the next one works, rows before a table."""

import re
from collections.abc import Sequence

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Style
from service.migrate.proof.lint.rule import PG, RULES, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.rules.locks import WEAK
from service.migrate.proof.lint.sql.change import Change, Kind
from service.migrate.proof.lint.sql.schema import Table, names_in

rules = Rules(family=Family.TRANSACTIONS)
_BOTH = (PG, SQLITE)
# What takes ACCESS EXCLUSIVE on an existing table, most of it for a moment only.
_EXCLUSIVE = frozenset(
    (
        *(
            Kind.ADD_COLUMN,
            Kind.DROP_COLUMN,
            Kind.RENAME_COLUMN,
            Kind.RENAME_TABLE,
            Kind.CHANGE_TYPE,
            Kind.SET_NOT_NULL,
        ),
        *(Kind.DROP_NOT_NULL, Kind.SET_DEFAULT, Kind.DROP_DEFAULT, Kind.ADD_CONSTRAINT, Kind.DROP_CONSTRAINT),
        *(Kind.DROP_TABLE, Kind.TRUNCATE, Kind.SET_SCHEMA, Kind.ROW_SECURITY, Kind.ADD_IDENTITY),
    )
)
_KEYS = ("primary key", "unique")
# The columns that a condition compares so.
_COMPARED = re.compile(r"(\w+)\"? ?(?:=|\bin ?\(|\bbetween\b) ?(?:'|-?\d|:|%|\$\d|true\b|false\b)", re.IGNORECASE)


def _locked(at: Place) -> list[str]:
    """The existing tables that earlier statements of the transaction hold under ACCESS EXCLUSIVE."""
    held = [each for each in at.together if _is_held(each.change) and not each.is_new]
    return list(dict.fromkeys(each.change.table for each in held if each.change.table))


def _is_held(change: Change) -> bool:
    return change.kind in _EXCLUSIVE or (change.kind is Kind.LOCK and change.to not in WEAK)


@rules.on(
    *_EXCLUSIVE,
    Kind.CREATE_INDEX,
    Kind.UPDATE,
    Kind.DELETE,
    Kind.INSERT,
    Kind.VALIDATE_CONSTRAINT,
    Kind.REFRESH,
    Kind.SELECT,
    Kind.ANALYZE,
    Kind.COPY,
    Kind.CREATE_TABLE,
    Kind.CREATE_VIEW,
    id="long-work-under-a-lock",
    blocks=True,
    advice="One change in a transaction: safe operations commit after each step; move rows in an ops.Backfill",
)
def long_work_under_a_lock(at: Place) -> str | None:
    """Requests to the table that is already locked wait until the long statement is done and committed."""
    held = _locked(at)
    if at.change.kind in _EXCLUSIVE:
        # The statement's own finding is about its own table.
        held = [each for each in held if each != at.change.table]
    if not held or at.call.alone:
        return None
    long = [
        each.id
        for each in RULES.values()
        if each.blocks
        and each.id != "long-work-under-a-lock"
        and at.change.kind in each.kinds
        and each.judge
        and each.judge(at)
    ]
    if not long and not _reads_much(at):
        return None
    locked = f"{' and '.join(held)} {'is' if len(held) == 1 else 'are'} locked"
    return f"{at.change.kind} on {at.change.table or at.change.name} runs while {locked}"


def _reads_much(at: Place) -> bool:
    """Whether the statement reads a table that has rows, though under no lock of its own that blocks requests."""
    change = at.change
    if change.kind is Kind.VALIDATE_CONSTRAINT:
        return not at.is_new
    if change.kind in (Kind.ANALYZE, Kind.COPY, Kind.SELECT) and (at.is_new or not change.table):
        return change.kind is Kind.ANALYZE and not change.table
    if change.kind in (Kind.ANALYZE, Kind.COPY, Kind.REFRESH):
        return True
    source = re.search(r"\bfrom (\w+)", change.text, re.IGNORECASE)
    is_query = change.kind is Kind.SELECT or ("select" in change.text.lower() and _stores(change))
    if not is_query or source is None or source[1] in at.created:
        return False
    condition = change.text.lower().partition(" where ")[2]
    return not _meets_few([at.schema.table(source[1])], condition) and "limit" not in change.text.lower()


def _stores(change: Change) -> bool:
    """Whether the rows of a query are stored: a view stores none, a materialized one does."""
    return change.kind is not Kind.CREATE_VIEW or (
        "materialized" in change.words and "no data" not in change.text.lower()
    )


@rules.on(
    *_EXCLUSIVE,
    id="locks-several-tables",
    level=Level.WARNING,
    advice="One table in a transaction: safe operations commit after each step",
)
def locks_several_tables(at: Place) -> str | None:
    """A request that uses both tables in the other order deadlocks with the revision, and one of them fails."""
    held = [each for each in _locked(at) if each != at.change.table]
    first = [each for each in at.together if each.change.table == at.change.table and each.change.kind in _EXCLUSIVE]
    # The first of them is enough: what follows in the transaction is the same fault.
    if len(held) != 1 or at.is_new or at.call.alone or first or not at.change.table:
        return None
    pair = (held[0], at.change.table)
    at.orders.setdefault(pair, at.revision.id)
    other = at.orders.get(pair[::-1])
    found = f"{at.change.kind} locks {at.change.table}, and the transaction holds {' and '.join(held)}"
    return f"{found}; {other} locks them in the other order" if other else found


@rules.on(
    *_EXCLUSIVE,
    id="lock-upgrade-deadlocks",
    advice="An ops.Backfill for the rows, and a safe operation for the change: each commits by itself",
)
def lock_upgrade_deadlocks(at: Place) -> str | None:
    """Requests that wait for the changed rows, and hold the table, deadlock with the revision; one of them fails."""
    rows = (Kind.UPDATE, Kind.DELETE, Kind.INSERT)
    before = [each.change.kind for each in at.together if each.change.table == at.change.table]
    first = next((each for each in before if each in rows or each in _EXCLUSIVE), None)
    if at.is_new or at.call.alone or first not in rows:
        return None
    return f"{at.change.kind} follows {first} of {at.change.table} in one transaction"


@rules.on(
    Kind.ADD_COLUMN,
    Kind.CHANGE_TYPE,
    Kind.SET_NOT_NULL,
    Kind.ADD_CONSTRAINT,
    id="reads-the-table-twice",
    level=Level.WARNING,
    advice="One ALTER TABLE with both actions, or the safe operations of each",
)
def reads_the_table_twice(at: Place) -> str | None:
    """Requests wait for two scans of the table where one would do."""
    if at.is_new or at.call.style is Style.SAFE or not _is_long(at.change, at):
        return None
    kinds = (Kind.ADD_COLUMN, Kind.CHANGE_TYPE, Kind.SET_NOT_NULL, Kind.ADD_CONSTRAINT)
    earlier = [each for each in at.together if each.change.table == at.change.table and each.change.kind in kinds]
    before = [each for each in earlier if _is_long(each.change, each)]
    own = before and before[-1].call is not at.call
    return f"{at.change.table} is read in full again by {at.change.kind}" if own else None


def _is_long(change: Change, at: Place) -> bool:
    return any(
        each.blocks and change.kind in each.kinds and each.judge is not None and each.judge(at) is not None
        for each in RULES.values()
    )


def _meets_few(tables: Sequence[Table], condition: str) -> bool:
    """Whether the condition compares a key, an indexed column, or a column that is not known, with values."""
    if "select" in condition.lower():
        return False
    names = {each.lower() for each in _COMPARED.findall(condition)}
    for table in tables:
        found = {columns[0] for columns in table.indexes.values() if columns}
        found |= {each.columns[0] for each in table.constraints if each.kind in _KEYS and each.columns}
        if names & found:
            return True
    return bool(names - {each for table in tables for each in table.columns})


def _tables(at: Place) -> list[Table]:
    """The tables that the statement names: a key of the one that an UPDATE joins limits its rows too."""
    joined = names_in(at.change.text) & at.schema.tables.keys()
    return [at.table, *(at.schema.table(each) for each in joined - {at.change.table})]


def _takes_back(at: Place) -> bool:
    """Whether a downgrade deletes the rows that the upgrade inserted, which it names by their values."""
    if at.call.phase != "downgrade" or at.change.kind is not Kind.DELETE or not _COMPARED.search(at.change.to):
        return False
    calls = [each for each in at.revision.calls if each.phase != "downgrade"]
    return any(one.kind is Kind.INSERT and one.table == at.change.table for each in calls for one in each.changes)


@rules.on(
    Kind.SELECT,
    id="locks-many-rows",
    blocks=True,
    advice="Lock the rows of a batch in an ops.Backfill, or leave FOR UPDATE out",
)
def locks_many_rows(at: Place) -> str | None:
    """Writers of the same rows wait until the revision commits."""
    found = re.search(r"\bfor (no key )?(update|share)\b|\bfor key share\b", at.change.text, re.IGNORECASE)
    few = _meets_few([at.table], at.change.text.lower().partition(" where ")[2]) or "limit" in at.change.text.lower()
    if at.is_new or not found or not at.change.table or few:
        return None
    return f"SELECT … {found[0].upper()} locks the rows that it finds in {at.change.table}"


@rules.on(
    Kind.UPDATE,
    Kind.DELETE,
    Kind.INSERT,
    id="changes-many-rows",
    blocks=True,
    databases=_BOTH,
    advice="ops.Backfill changes the rows in batches, each in a short transaction",
)
def changes_many_rows(at: Place) -> str | None:
    """Writers of the same rows wait until the revision commits; on SQLite every writer waits."""
    if at.is_new or not at.change.table or _meets_few(_tables(at), at.change.to) or _takes_back(at):
        return None
    if at.change.kind is Kind.INSERT and not {"conflict", "update", "select"} <= at.change.words:
        return None
    if re.match(r"merge\b.*?\busing ?\( ?values\b", at.change.text, re.IGNORECASE | re.DOTALL):
        return None
    return f"{at.change.kind} {at.change.table} changes all rows it finds in one transaction"
