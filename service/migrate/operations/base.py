"""`Operation`, and `Phases`: what it does in each phase of a revision."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, TypeAlias

from service.migrate.operations.step import Backfill, Precondition, Step, Target

# A table, and some of its columns.
Columns: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """What one operation does, or several in a row, in the order in which it happens; nothing by default.

    An operation in `upgrade()` has its `expand` steps run by `alembic upgrade`, its `backfill` by `roster db backfill`,
    which ends with `settle`, its `contract` steps by `roster db contract`, and its `purge` steps by `roster db purge`.
    An operation in `contract()` has its `expand` steps run there. A step carries its own undo.
    """

    # Tables and columns that must exist before; tables that exist only after; columns that exist only after.
    requires: tuple[Columns, ...] = ()
    creates: frozenset[str] = frozenset()
    provides: tuple[Columns, ...] = ()
    # Rows that stop the operation, asked before the first step of its phase.
    preconditions: tuple[Precondition, ...] = ()
    expand: tuple[Step, ...] = ()
    backfill: tuple[Backfill, ...] = ()
    settle: tuple[Step, ...] = ()
    contract_preconditions: tuple[Precondition, ...] = ()
    contract: tuple[Step, ...] = ()
    purge: tuple[Step, ...] = ()
    # Rows that stop the downgrade, and rows that stop undoing the contract.
    undo_preconditions: tuple[Precondition, ...] = ()
    undo_contract_preconditions: tuple[Precondition, ...] = ()
    # Backfills that the downgrade runs before it brings back what the rows then need.
    refills: tuple[Backfill, ...] = ()
    # Dependents (in the words of `dependents`) that are gone after, so that later preconditions need not name them.
    frees: frozenset[str] = frozenset()
    # Whether the version before may still use what goes: such an operation belongs in contract().
    removes: bool = False

    def then(self, after: "Phases") -> "Phases":
        """Both in a row: `after` requires and checks nothing that this one makes."""
        asked = replace(after, requires=self._still_required(after), preconditions=self._still_checked(after))
        return Phases(
            **{each.name: _joined(getattr(self, each.name), getattr(asked, each.name)) for each in fields(self)}
        )

    def without_refilled(self, checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
        """The checks of columns that no refill of these phases writes."""
        written = {(fill.table, name) for fill in self.refills for name in (*(fill.assign or ()), *fill.write)}
        return tuple(check for check in checks if written.isdisjoint((check.table, name) for name in check.needs))

    def excused(self, checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
        """The checks, which ignore the dependents that these phases drop."""
        return tuple(
            replace(check, ignoring=check.ignoring | {each.lower() for each in self.frees}) for check in checks
        )

    def _still_required(self, after: "Phases") -> tuple[Columns, ...]:
        return tuple(
            (table, tuple(name for name in columns if name not in self._provided(table)))
            for table, columns in after.requires
            if table not in self.creates
        )

    def _still_checked(self, after: "Phases") -> tuple[Precondition, ...]:
        """A table or column that the revision itself makes has no rows to check."""
        return self.excused(
            check
            for check in after.preconditions
            if check.table not in self.creates and self._provided(check.table).isdisjoint(check.needs)
        )

    def _provided(self, table: str) -> set[str]:
        return {name for other, columns in self.provides if other == table for name in columns}


def _joined(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, tuple) else one | other


def merged(phases: Iterable[Phases]) -> Phases:
    """One value for operations that follow one another."""
    return reduce(Phases.then, phases, Phases())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(ABC):
    """One change of the schema, as a revision asks for it."""

    @abstractmethod
    def phases(self, target: Target, /) -> Phases:
        """What it does on the target's database; raises Refused if it cannot be done there safely."""
