"""What an operation comes to: small steps, each a short transaction, with what it locks and how it is undone."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select

from service.migrate.dialects.sqlite.edit import Edit


class Lock(StrEnum):
    """The strongest lock that a step takes on a table which is in use, from weak to strong.

    https://www.postgresql.org/docs/current/explicit-locking.html: readers wait for the last one alone, writers for the
    last two. SQLite has one lock, for whoever writes: there every step has it for its length.
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
    """One thing that is done in one transaction, or `alone` outside of any.

    `done` is a SELECT of one boolean: whether there is nothing (more) to do. The ledger says the same of a step that
    was done here; `done` is asked for one that is not in it, after a crash for instance. `tables` are those it locks.
    First comes the `edit`, then what is `made` of the database as it stands, then the `statements`.
    """

    title: str
    statements: tuple[str, ...] = ()
    lock: Lock = Lock.NONE
    tables: tuple[str, ...] = ()
    done: str | None = None
    alone: bool = False
    edit: Edit | None = None
    made: Callable[[Connection], Iterable[str]] | None = None
    # Whether a script (--sql) has it; one that only sometimes has something to do does not stand in a script.
    scripted: bool = True
    undo: "tuple[Move, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Values for rows that are there, in batches along the key, each in a short transaction of its own.

    `left` is a condition on a row that says it is still to be filled; a fill is over when no row meets it. A batch is
    `assign` (column to SQL expression), or `by` (a Python function of the columns `read` that returns one value for
    each of `write`), or `statement` with `{batch}` where the condition for the batch goes, one for both databases or
    one each.
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
    # A SELECT of one boolean: whether there is nothing to fill, since the columns are gone already.
    unless: str | None = None

    @property
    def title(self) -> str:
        return f"fill {self.name}"


Move: TypeAlias = Step | Fill
Rows: TypeAlias = "Select[*tuple[Any, ...]] | str | Callable[[Connection], list[tuple[Any, ...]] | str]"


def inverted(step: Step) -> Step:
    """The step that undoes this one, and is undone by it; for a step whose undoing is one step."""
    (back,) = step.undo
    assert isinstance(back, Step)  # noqa: S101 - the callers' own steps
    return replace(back, undo=(replace(step, undo=()),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Rows that a change cannot do with: told with their number and the first of them before anything is changed.

    `rows` is a SELECT of what is told of each, or a function that finds them, or that SELECT, given a connection.
    `table` and `needs` are what it looks at: rows of a table or column that the same revision makes need not be looked
    at. Rows of a function that begin with one of `besides`, in small letters, do not count.
    """

    why: str
    rows: Rows
    table: str = ""
    needs: tuple[str, ...] = ()
    ignoring: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an operation's steps are to run: the database's kind, and the revision that they belong to."""

    dialect: str
    revision: str

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"


def words_in(*texts: str) -> set[str]:
    """The words of SQL that may be columns."""
    return {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}


def altered(
    target: Target, title: str, native: str, edit: Edit, *, done: str | None = None, undo: tuple[Step, ...] = ()
) -> Step:
    """A change of one table's definition: by a statement on PostgreSQL, on SQLite by an edit."""
    return Step(
        title=title,
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(edit.table,),
        done=done,
        statements=() if target.is_sqlite else (native,),
        edit=edit if target.is_sqlite else None,
        undo=undo,
    )
