"""Each rule finds its bad example, and nothing is found in the good one."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.lint import Asked, lint, listed
from service.migrate.proof.lint.rule import Family
from tests.migrate.project import Project, copied
from tests.migrate.proof.lint import bad, bad_uses
from tests.migrate.proof.lint.bad import BASE

CASES = bad.CASES | bad_uses.CASES
# What is about the history as a whole, about comments or about a server has tests of its own.
ELSEWHERE = {"several-heads", "edited-revision", "imports-models"}


def add(project: Project, id: str, up: str, down: str, contract: str = "") -> None:
    if "op." in up.replace("ops.", ""):
        project.add(id, after="0001_base", up=up, down=down)
    else:
        project.add_safe(id, after="0001_base", up=up, contract=contract or None)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Finding]]]:
    """The findings by revision: `bad_…` and `good_…` with the rule's id."""
    with copied(tmp_path_factory.mktemp("lint")) as project:
        project.clear()
        project.add_safe("0001_base", after=None, up=BASE)
        for rule, case in CASES.items():
            contract = "ops.drop_column('books', sa.Column('price', sa.Numeric(8, 2)))"
            add(project, f"b{number(rule)}", case.bad, case.bad_down, contract if rule == "looks-like-rename" else "")
            add(project, f"g{number(rule)}", case.good, case.good_down or case.bad_down, case.good_contract)
        by_revision = defaultdict(list)
        for each in lint(Asked(ignored=("several-heads",))).findings:
            by_revision[each.revision].append(each)
        yield by_revision


def number(rule: str) -> str:
    return f"{list(CASES).index(rule):04}"


def test_every_rule_has_an_example() -> None:
    judged = {each.id for each in listed() if each.family is not Family.TRACE and "suppression" not in each.id}
    assert judged == CASES.keys() | ELSEWHERE


def test_the_base_has_no_finding(found: dict[str, list[Finding]]) -> None:
    assert shown(found["0001_base"]) == []


@pytest.mark.parametrize("rule", CASES)
def test_a_bad_revision_is_found_and_its_twin_is_not(found: dict[str, list[Finding]], rule: str) -> None:
    assert rule in [each.rule for each in found[f"b{number(rule)}"]], shown(found[f"b{number(rule)}"])
    assert shown(found[f"g{number(rule)}"]) == []


def shown(findings: list[Finding]) -> list[Any]:
    return [(each.line, each.rule, each.database, each.what) for each in findings]


def test_a_finding_has_the_line_of_the_call(found: dict[str, list[Finding]]) -> None:
    (each,) = found[f"b{number('row-security-forced')}"]
    assert (each.line, each.phase, each.database) == (13, "upgrade", "postgresql")
    assert each.file.endswith(".py")
