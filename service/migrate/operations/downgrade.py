"""What a revision says of its downgrade."""

from dataclasses import dataclass

from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Fill, Step, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Operation):
    """All that the revision did, taken back in reverse."""

    def phases(self, _target: Target, /) -> Phases:
        return Phases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill(Operation):
    """Nothing on the way up; on the way back, rows get the values that they would have had."""

    fill: Fill

    def phases(self, _target: Target, /) -> Phases:
        return Phases(
            requires=((self.fill.table, self.fill.key),),
            expand=(Step(title=f"leave {self.fill.name} to the way back", undo=(self.fill,)),),
            refills=(self.fill,),
        )
