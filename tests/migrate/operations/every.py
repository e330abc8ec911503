"""All revisions of the text tests, and all revisions of the service."""

import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from service.migrate.operations.step import Action, Step
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import Plan, plan
from tests.migrate.operations.written import Case
from tests.migrate.project import Project

_ROOT = Path(__file__).parents[3]
CASES: dict[str, Case] = {
    name: case
    for file in sorted(Path(__file__).parent.rglob("test_text_*.py"))
    for name, case in importlib.import_module(".".join(file.relative_to(_ROOT).with_suffix("").parts)).CASES.items()
}
SCRIPTS = list(scripts().walk_revisions())


def called(case: Case) -> set[str]:
    """The functions of `ops` that a revision calls."""
    return {name for part in case.parts.values() for name in re.findall(r"\bops\.(\w+)", part)}


def plans(project: Project, dialect: str) -> Iterator[Plan]:
    yield from (found for script in SCRIPTS if (found := plan(script, dialect)) is not None)
    yield from (case.planned(project, dialect) for case in CASES.values())


def sequences(found: Plan) -> Iterator[Sequence[Action]]:
    """What follows one another: the steps of each phase, and what takes each of them back."""
    for actions in (found.expand, found.settle, found.contract, found.purge, found.downgrade or ()):
        yield actions
        yield from (step.undo for step in actions)


def steps(actions: Sequence[Action]) -> list[Step]:
    return [action for action in actions if isinstance(action, Step)]
