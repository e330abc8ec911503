"""Steps and backfills: short transactions, each with its lock, its done-predicate and its undo."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select

from service.migrate.dialects.sqlite.edit import Edit


class Lock(StrEnum):
    """The strongest table lock that a step takes; members from weak to strong.

    https://www.postgresql.org/docs/current/explicit-locking.html: the last one blocks readers, the last two block
    writers. SQLite has one write lock for the file, which every step takes.
    """

    NONE = "none"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    @property
    def keeps_requests_waiting(self) -> bool:
        return self in (Lock.SHARE_ROW_EXCLUSIVE, Lock.ACCESS_EXCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction, or, if `alone`, statements outside of a transaction.

    `done` is a SELECT of one boolean: whether the step need not run; it decides where the ledger has no record of the
    step, after a crash for instance. `tables` are the tables that the step locks. The step runs its `edit`, then the
    statements that `generate` returns for the connection, then `statements`.
    """

    title: str
    statements: tuple[str, ...] = ()
    lock: Lock = Lock.NONE
    tables: tuple[str, ...] = ()
    done: str | None = None
    alone: bool = False
    edit: Edit | None = None
    generate: Callable[[Connection], Iterable[str]] | None = None
    # Called before the statements; raises Refused if the step would fail live writes later.
    trial: Callable[[Connection], None] | None = None
    # What a script runs in place of `trial`, in the transaction of the step.
    tried: tuple[str, ...] = ()
    # Whether --sql writes the step: not one that only recovers from a crash, or restores from the trash.
    scripted: bool = True
    undo: "tuple[Action, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill: values for existing rows, in batches along the key, each in a short transaction.

    `left` is the SQL condition of a row without its value; the backfill is complete when no row meets `left`. A batch
    sets `assign` (column to SQL expression), or runs `by` (a Python function from the columns `read` to a value for
    each of `write`), or runs `statement`, for both databases or by database, with the batch's condition for `{batch}`.
    """

    name: str
    table: str
    left: str
    key: tuple[str, ...] = ("id",)
    assign: Mapping[str, str] | None = None
    by: Callable[..., tuple[Any, ...]] | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    statement: str | Mapping[str, str] | None = None
    # Whether callers read the values before: a filled row then counts as changed in the table's version column.
    is_change: bool = False
    # A SELECT of one boolean: whether the backfill's columns were dropped, so that it has nothing to fill.
    unless: str | None = None

    @property
    def title(self) -> str:
        return f"BACKFILL {self.name}"


Action: TypeAlias = Step | Backfill
Rows: TypeAlias = "Select[*tuple[Any, ...]] | str | Callable[[Connection], list[tuple[Any, ...]] | str]"


def inverted(step: Step) -> Step:
    """The undo of a step as a step whose undo is that step; for a step with exactly one undo."""
    (back,) = step.undo
    assert isinstance(back, Step)  # noqa: S101 - the callers' own steps
    return replace(back, undo=(replace(step, undo=()),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """A query for rows that make a change impossible; the refusal has the sentence `why` and the first rows.

    `rows` is a SELECT of the values to report, or a function of a connection that returns the rows or the SELECT.
    `table` and `needs` are the table and the columns that the query reads: a revision that creates them itself skips
    the precondition. A function's rows of which a value is in `ignoring` do not count.
    """

    why: str
    rows: Rows
    table: str = ""
    needs: tuple[str, ...] = ()
    ignoring: frozenset[str] = frozenset()
    # The sentence that says what to do, without its full stop; {first} stands for the first value that is found.
    cure: str = ""
    # What --sql asks in place of a function `rows`: a SELECT of rows, or CATALOG; for None it demands empty tables.
    script: str | None = None


# The answer depends on the catalog alone, which the first statement of a script compares with the ledger's copy.
CATALOG = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The dialect and the revision that steps are built for."""

    dialect: str
    revision: str

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"


def words_in(*texts: str) -> set[str]:
    """The words of SQL texts that may be names of columns."""
    return {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}


def altered(
    target: Target, title: str, native: str, edit: Edit, *, done: str | None = None, undo: tuple[Step, ...] = ()
) -> Step:
    """A change of a table's definition: one statement on PostgreSQL, one edit on SQLite."""
    return Step(
        title=title,
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(edit.table,),
        done=done,
        statements=() if target.is_sqlite else (native,),
        edit=edit if target.is_sqlite else None,
        undo=undo,
    )
