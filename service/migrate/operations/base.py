"""What every operation answers: the steps it comes to in each phase, and the rows it could not do with."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from service.migrate.operations.step import Check, Fill, Move, Place, Step

# A table, and some of its columns.
Columns: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One change of the schema; every list is empty unless the operation says otherwise.

    An operation in `upgrade()` has its `expand` steps run by `alembic upgrade`, its `fills` by `roster db backfill`,
    which ends with `settle` when nothing is left to fill, and its `contract` steps by `roster db contract`. One in
    `contract()` has its `expand` steps run there.
    """

    # What the code before this revision may still use goes; so it belongs in contract().
    removes: ClassVar[bool] = False

    def needs(self) -> list[Columns]:
        """The tables, and columns of them, that must be there before."""
        return []

    def gives(self) -> list[Columns]:
        """The tables, and columns of them, that are there after."""
        return []

    def frees(self) -> list[str]:
        """What is not in the way any more after, in the words of `uses`."""
        return []

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002 - for those that ask rows first
        """Rows that stop it, asked before the first step of the phase that it is in."""
        return []

    def contract_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        """Rows that stop its contract."""
        return []

    def undo_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        """Rows that stop the way back."""
        return []

    def contract_undo_checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        """Rows that stop the way back from its contract."""
        return []

    def expand(self, place: Place) -> list[Step]:  # noqa: ARG002
        return []

    def fills(self, place: Place) -> list[Fill]:  # noqa: ARG002
        return []

    def settle(self, place: Place) -> list[Step]:  # noqa: ARG002
        return []

    def contract(self, place: Place) -> list[Step]:  # noqa: ARG002
        return []

    def purge(self, place: Place) -> list[Step]:  # noqa: ARG002
        """What drops for good what is kept aside when the revision is contracted."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Operation):
    """Rows that this revision could not carry over, in either direction, stop it before it begins."""

    check: Check

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        return [self.check]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Operation):
    """All that the revision did, taken back in reverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill(Operation):
    """Nothing on the way up; on the way back, rows get the values that they would have had."""

    fill: Fill

    def needs(self) -> list[Columns]:
        return [(self.fill.table, self.fill.key)]

    def expand(self, place: Place) -> list[Step]:  # noqa: ARG002
        undo: tuple[Move, ...] = (self.fill,)
        return [Step(title=f"leave {self.fill.name} to the way back", undo=undo)]
