"""Every operation has a text test, its locks in the guide, and distinct step titles."""

import inspect
import re

import pytest

from service.migrate import ops
from service.migrate.dialects.ddl import is_trash
from service.migrate.operations.step import Lock
from tests.migrate.operations.every import CASES, called, plans, sequences, steps
from tests.migrate.operations.written import DIALECTS
from tests.migrate.project import Project
from tests.project.files import read

OPERATIONS = {name for name, value in inspect.getmembers(ops, inspect.isfunction) if value.__module__ == ops.__name__}
# They change no schema.
OF_ROWS = {"refill", "refuse_if_any", "undo"}
TABLE = read("docs/schema-changes.md").partition("## What each operation locks")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([a-z_, ]+) \| (.+?) \| .+ \|$", TABLE, re.MULTILINE)
# What the guide says of each.
TOLD = {name: locks for names, locks in ROWS for name in names.split(", ")}
# Where a plan is of one operation alone.
ALONE = {
    name: [case for case in CASES.values() if called(case) & OPERATIONS - {"undo"} == {name}] for name in OPERATIONS
}


def test_every_operation_has_its_text_in_a_test() -> None:
    assert {*OPERATIONS, *ops.__all__} <= {name for case in CASES.values() for name in called(case)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_two_steps_of_a_plan_are_called_the_same(project: Project, dialect: str) -> None:
    for found in plans(project, dialect):
        for actions in sequences(found):
            titles = [action.title for action in actions]
            assert len(titles) == len(set(titles)), titles


def test_the_guide_tells_of_every_operation() -> None:
    assert TOLD.keys() - {"operation", "backfill"} == OPERATIONS - OF_ROWS


@pytest.mark.parametrize("name", sorted(OPERATIONS - OF_ROWS - {"execute"}))
def test_the_guide_tells_what_an_operation_locks(project: Project, name: str) -> None:
    assert ALONE[name]
    locked = set()
    for case in ALONE[name]:
        found = case.planned(project, "postgresql")
        phases = (found.expand, found.settle, found.contract, found.purge)
        every = [step for phase in phases for step in steps(phase)]
        made = {
            match[1] for step in every for each in step.statements if (match := re.match(r"CREATE TABLE (\S+)", each))
        }
        locked |= {
            step.lock for step in every if any(not is_trash(table) and table not in made for table in step.tables)
        }
    assert {lock for lock in Lock if re.search(rf"\b{lock}\b", TOLD[name])} == locked
