import os
import re
import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.project.files import ROOT, read, read_yaml, schema_findings

WORKFLOW = ".github/workflows/ci.yml"
TEST = read_yaml(WORKFLOW)["jobs"]["test"]
MATRIX = TEST["strategy"]["matrix"]
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]


def test_the_workflow_follows_its_schema() -> None:
    assert schema_findings("vendor.github-workflows", WORKFLOW) == ""


def test_every_python_the_project_names_is_tested() -> None:
    named = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert MATRIX["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_every_postgresql_from_15_to_18_is_tested() -> None:
    assert MATRIX["postgres"] == ["15", "16", "17", "18"]
    assert TEST["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}"


def test_the_oldest_and_the_newest_sqlalchemy_allowed_are_tested() -> None:
    (sqlalchemy,) = (each for each in map(Requirement, PROJECT["dependencies"]) if each.name == "sqlalchemy")
    bounds = {each.operator: Version(each.version) for each in sqlalchemy.specifier}
    assert {each["sqlalchemy"] for each in MATRIX["include"]} == {f"=={bounds['>=']}", f"<{bounds['<']}"}
    assert MATRIX["sqlalchemy"] == ["locked"]


def test_the_workflow_runs_what_is_run_by_hand() -> None:
    assert ".ci/run" in [step.get("run") for step in TEST["steps"]]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert re.findall(r"(?m)^make (\w+)$", read(".ci/run")) == ["check", "test"]
