"""The phases of a deployment: what the migrator does in each, and which versions serve."""

from collections.abc import Sequence
from dataclasses import dataclass

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple

from service.migrate.plan import graph
from service.migrate.plan.plan import plan
from service.migrate.proof.rehearse.messages import Run

OLD, NEW = "old", "new"
CONTROL = "control"
SAFE, PLAIN = "safe", "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the deployment: requests go to `serving` while `runs` run one after another."""

    name: str
    direction: str
    serving: tuple[str, ...]
    revision: str = ""
    runs: tuple[Run, ...] = ()
    style: str = SAFE

    @property
    def described(self) -> str:
        return f"{self.name} {self.revision}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The new revisions, oldest first, and the heads of the schema that the previous version has."""

    revisions: tuple[Script, ...]
    base: tuple[str, ...]


def deployment(directory: ScriptDirectory, revisions: Sequence[str]) -> Deployment:
    """The deployment of these revisions."""
    chosen = graph.oldest_first(directory, set(revisions))
    below = {each.revision for each in directory.walk_revisions()} - {
        later for each in revisions for later in graph.with_descendants(directory, each)
    }
    parents = {parent for each in below for parent in graph.with_ancestors(directory, [each]) - {each}}
    return Deployment(revisions=tuple(chosen), base=tuple(sorted(below - parents)))


def steps_of(found: Deployment, dialect: str, style: str) -> list[Phase]:
    """The phases in safe steps, or those of the baseline."""
    return phases(found, dialect) if style == SAFE else plain_phases(found)


def phases(found: Deployment, dialect: str) -> list[Phase]:
    """The phases, in order: the control, the way up, the way back, and up again."""
    up = [
        Phase(
            name="expand",
            direction="up",
            serving=(OLD,),
            revision=each.revision,
            runs=(Run(command="upgrade", revision=each.revision),),
        )
        for each in found.revisions
    ]
    contracting = [each for each in found.revisions if _has_contract(each, dialect)]
    both = (OLD, NEW)
    backfill = Run(command="backfill")
    has_backfill = any(_has_backfill(each, dialect) for each in found.revisions)
    last = found.revisions[-1].revision
    return [
        Phase(name=CONTROL, direction="", serving=(OLD,)),
        *up,
        Phase(name="rollout", direction="up", serving=both),
        *([Phase(name="backfill", direction="up", serving=both, runs=(backfill,))] if has_backfill else []),
        Phase(name="old away", direction="up", serving=(NEW,)),
        *(_contract(each, "contract", "up") for each in contracting),
        *(_contract(each, "undo", "down") for each in reversed(contracting)),
        Phase(name="old back", direction="down", serving=both),
        *_down(found),
        Phase(
            name="expand again",
            direction="up",
            serving=(OLD,),
            revision=last,
            runs=(Run(command="upgrade", revision="heads"), *([backfill] if has_backfill else [])),
        ),
        Phase(name="at the end", direction="up", serving=both),
    ]


def plain_phases(found: Deployment) -> list[Phase]:
    """The baseline: the same change up and down in Alembic's plain style, beside the previous version."""
    last = found.revisions[-1].revision
    return [
        Phase(name=CONTROL, direction="", serving=(OLD,), style=PLAIN),
        *(
            Phase(
                name=f"plain {verb}",
                direction=direction,
                serving=(OLD,),
                revision=last,
                runs=(Run(command=f"plain {verb}"),),
                style=PLAIN,
            )
            for verb, direction in (("upgrade", "up"), ("downgrade", "down"))
        ),
    ]


def _contract(script: Script, command: str, direction: str) -> Phase:
    return Phase(
        name="contract" if direction == "up" else "undo contract",
        direction=direction,
        serving=(NEW,),
        revision=script.revision,
        runs=(Run(command=command, revision=script.revision),),
    )


def _down(found: Deployment) -> list[Phase]:
    """One revision after another, or all at once where a merge or a branch makes the order ambiguous."""
    below = [to_tuple(each.down_revision, default=()) for each in found.revisions]
    chain = [(found.base[0],) if found.base else (), *((each.revision,) for each in found.revisions[:-1])]
    steps = list(zip(found.revisions, below, strict=True)) if below == chain else []
    if not steps:
        target = found.base[0] if found.base else "base"
        steps = [(found.revisions[-1], (target,))]
    return [
        Phase(
            name="downgrade",
            direction="down",
            serving=(OLD,),
            revision=each.revision,
            runs=(Run(command="downgrade", revision=target[0] if target else "base"),),
        )
        for each, target in reversed(steps)
    ]


def _has_contract(script: Script, dialect: str) -> bool:
    found = plan(script, dialect)
    return found is not None and bool(found.contract)


def _has_backfill(script: Script, dialect: str) -> bool:
    found = plan(script, dialect)
    return found is not None and bool(found.backfills or found.settle)
