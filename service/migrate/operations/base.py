"""`Operation`, one function of `ops`, and `Phases`, what an operation does in each phase of a revision."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

from service.migrate.operations.step import Backfill, Precondition, Step, Target

# A table, and some of its columns.
Columns: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """What one operation, or a sequence of operations, does; fields in the order of execution, empty by default.

    An operation in `upgrade()` has its `expand` steps run by `alembic upgrade`, its `backfill` by `backfill`,
    which ends with `settle`, its `contract` steps by `contract`, and its `purge` steps by `purge`.
    An operation in `contract()` has its `expand` steps run there. A step carries its own undo.
    """

    # Tables and columns that must exist before; tables, and columns, that the operation creates.
    requires: tuple[Columns, ...] = ()
    creates: frozenset[str] = frozenset()
    provides: tuple[Columns, ...] = ()
    # Checked before the first step of the phase.
    preconditions: tuple[Precondition, ...] = ()
    expand: tuple[Step, ...] = ()
    backfill: tuple[Backfill, ...] = ()
    settle: tuple[Step, ...] = ()
    contract_preconditions: tuple[Precondition, ...] = ()
    contract: tuple[Step, ...] = ()
    purge: tuple[Step, ...] = ()
    # Checked before the downgrade, and before the undo of the contract.
    undo_preconditions: tuple[Precondition, ...] = ()
    undo_contract_preconditions: tuple[Precondition, ...] = ()
    # Backfills that the downgrade runs before it restores a constraint that the values must satisfy.
    refills: tuple[Backfill, ...] = ()
    # Dependents (as `dependents` spells them) that the operation drops: later preconditions ignore them.
    frees: frozenset[str] = frozenset()
    # Dependents that the undo drops: preconditions of the undo ignore them.
    adds: frozenset[str] = frozenset()
    # Whether the operation removes what the old version may use: it then belongs in contract().
    removes: bool = False

    def then(self, after: "Phases") -> "Phases":
        """The phases of both in sequence, without the requirements of `after` that this operation fulfils."""
        asked = replace(after, requires=self._still_required(after), preconditions=self._still_checked(after))
        return Phases(
            **{each.name: _joined(getattr(self, each.name), getattr(asked, each.name)) for each in fields(self)}
        )

    def without_refilled(self, checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
        """The checks, without those of columns that a refill of these phases writes."""
        written = {(fill.table, name) for fill in self.refills for name in (*(fill.assign or ()), *fill.write)}
        return tuple(check for check in checks if written.isdisjoint((check.table, name) for name in check.needs))

    def excused(self, checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
        """The checks, each ignoring the dependents that these phases drop."""
        return _ignoring(checks, self.frees)

    def excused_undo(self, checks: Iterable[Precondition]) -> tuple[Precondition, ...]:
        """The checks of an undo, each ignoring the dependents that the undo of these phases drops."""
        return _ignoring(checks, self.adds)

    def _still_required(self, after: "Phases") -> tuple[Columns, ...]:
        return tuple(
            (table, tuple(name for name in columns if name not in self._provided(table)))
            for table, columns in after.requires
            if table not in self.creates
        )

    def _still_checked(self, after: "Phases") -> tuple[Precondition, ...]:
        """The preconditions of `after`, without those of a table or column that the revision itself creates."""
        return self.excused(
            check
            for check in after.preconditions
            if check.table not in self.creates and self._provided(check.table).isdisjoint(check.needs)
        )

    def _provided(self, table: str) -> set[str]:
        return {name for other, columns in self.provides if other == table for name in columns}


def _ignoring(checks: Iterable[Precondition], dependents: frozenset[str]) -> tuple[Precondition, ...]:
    return tuple(replace(check, ignoring=check.ignoring | dependents) for check in checks)


def _joined(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, tuple) else one | other


def merged(phases: Iterable[Phases]) -> Phases:
    """The phases of a sequence of operations as one value."""
    return reduce(Phases.then, phases, Phases())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(ABC):
    """One schema change, as a revision declares it."""

    @abstractmethod
    def phases(self, target: Target, /) -> Phases:
        """The phases on the target's database; raises Refused if the operation is not safe there."""


class Recorded(NamedTuple):
    """An operation that a revision calls, and its phases on the target: computed once, for all that ask for them."""

    operation: Operation
    phases: Phases

    @classmethod
    def of(cls, operation: Operation, target: Target) -> "Recorded":
        return cls(operation, operation.phases(target))
