"""`undo` and `refill`: what a revision declares about its downgrade."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Backfill, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Operation):
    """The downgrade undoes all steps of the revision, the last one first."""

    def phases(self, _target: Target, /) -> Phases:
        return Phases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill(Operation):
    """A backfill of the downgrade, run before a constraint is restored that the values must satisfy."""

    backfill: Backfill

    def phases(self, _target: Target, /) -> Phases:
        return Phases(
            requires=((self.backfill.table, self.backfill.key),),
            expand=(Step(title=f"BACKFILL {self.backfill.name} ON DOWNGRADE", undo=(self.backfill,)),),
            refills=(self.backfill,),
        )
