"""The composite action, whose shell lines are run as GitHub would run them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.proof.shops import Shop, check_costs_nothing, phases, shop
from tests.programs import commands
from tests.project.files import ROOT, read_yaml, roster_refusal, schema_findings

FOLDER = ".github/actions/prove-migrations"
ACTION = f"{FOLDER}/action.yml"
ENVIRONMENT = """
from alembic import context
from sqlalchemy import Column, Integer, MetaData, Table
from service.migrate.entrypoints.environment import main
from service.migrate.naming import Naming

models = MetaData()
Table("t", models, Column("id", Integer(), primary_key=True))
main(context, models, Naming())
"""
REVISION = '''
"""A table."""

import sqlalchemy as sa
{imports}

revision = "{id}"
down_revision = {after!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''
OPS = "from service.migrate import ops"
TABLE = (
    'ops.create_table("t", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_t"))'
)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """The end of a run: its status, what the steps printed, their outputs, the summary, the folder of the documents."""

    status: int
    printed: str
    outputs: dict[str, dict[str, str]]
    summary: str
    documents: list[str]


def run(project: Path, **inputs: str) -> Ran:
    """Run the shell lines of the steps until one fails; the steps that use other actions are left out."""
    action = read_yaml(ACTION)
    given = {name: each.get("default", "") for name, each in action["inputs"].items()}
    given |= {"python": str(commands() / "python")} | {name.replace("_", "-"): value for name, value in inputs.items()}
    outputs: dict[str, dict[str, str]] = {}
    summary, printed, status = project / "summary.md", "", 0
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        assert step["shell"] == "bash"
        output = project / "output"
        output.write_text("")
        environment = {name: _value(text, given, outputs) for name, text in step["env"].items()}
        environment |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=project,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        printed += done.stdout + done.stderr
        outputs[step.get("id", "")] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        status = done.returncode
        if status:
            break
    documents = sorted(each.name for each in (project / given["folder"]).iterdir())
    said = summary.read_text() if summary.exists() else ""
    return Ran(status=status, printed=printed, outputs=outputs, summary=said, documents=documents)


def _value(text: str, inputs: dict[str, str], outputs: dict[str, dict[str, str]]) -> str:
    """What GitHub puts in place of an expression."""

    def found(expression: re.Match[str]) -> str:
        kind, *path = expression[1].split(".")
        return inputs[path[0]] if kind == "inputs" else outputs[path[0]].get(path[2], "")

    return re.sub(r"\$\{\{ (\S+) \}\}", found, text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations/versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (tmp_path / "migrations/env.py").write_text(ENVIRONMENT)
    (versions / "0001.py").write_text(REVISION.format(id="0001", after=None, up=TABLE, down="ops.undo()", imports=OPS))
    return tmp_path


def add(project: Path, up: str) -> None:
    text = REVISION.format(id="0002", after="0001", up=up, down="pass", imports="from alembic import op")
    (project / "migrations/versions/0002.py").write_text(text)


def test_the_action_follows_its_schema() -> None:
    assert schema_findings("vendor.github-actions", ACTION) == ""


def test_no_input_is_written_into_a_shell_line() -> None:
    # A branch may be called `$(reboot)`; a variable is never read as code.
    assert [each["run"] for each in read_yaml(ACTION)["runs"]["steps"] if "${{" in each.get("run", "")] == []


@pytest.mark.slow
def test_the_action_fails_on_findings_and_reports_them(project: Path) -> None:
    add(project, 'op.create_index("ix_t_id", "t", ["id"])')
    ran = run(project, commands="lint", since="0001")
    assert (ran.status, ran.outputs["report"]) == (1, {"status": "1"}), ran.printed
    assert ran.documents == ["lint.json", "report.html", "report.md"]
    assert ran.summary.startswith("## Migrations: ")
    assert "0002" in ran.summary
    document: Any = json.loads((project / "prove-migrations/lint.json").read_text())
    assert document["revisions"] == ["0002"]


@pytest.mark.slow
def test_the_action_passes_without_findings(project: Path) -> None:
    ran = run(project, commands="lint")
    assert (ran.status, ran.outputs["report"]) == (0, {"status": "0"}), ran.printed
    assert ran.summary.startswith("## Migrations: no finding")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as made:
        yield made


@pytest.mark.slow
def test_the_action_rehearses_what_is_new_and_fails_beyond_a_bar(own: Shop) -> None:
    since = {"commands": "rehearse", "since": "HEAD"}
    nothing = run(own.folder, **since)
    assert nothing.status == 0, nothing.printed
    assert "**rehearse**: No revision is new since HEAD: there is nothing to rehearse." in nothing.summary
    own.safe(
        'ops.add_column("books", sa.Column("isbn", sa.String(50), server_default="", nullable=False))',
        'def contract() -> None:\n    ops.drop_column("books", sa.Column("pages", sa.Integer()))',
    )
    own.serve_columns("title", "isbn")
    serve = "--serve '{python} -m uvicorn shop:application --port={port} --log-level=warning'"
    options = f"{serve} --on sqlite --seconds 0.2 --rows 150 --rate 40 --connections 1 --max-stall 0.001ms"
    ran = run(own.folder, **since, rehearse_options=options)
    assert (ran.status, ran.outputs["report"]) == (1, {"status": "1"}), ran.printed
    document: Any = json.loads((own.folder / "prove-migrations/rehearse.json").read_text())
    assert document["revisions"] == ["0002_change"]
    assert phases(document) == [
        ("control", "", ["old"]),
        ("expand", "up", ["old"]),
        ("rollout", "up", ["old", "new"]),
        ("old away", "up", ["new"]),
        ("contract", "up", ["new"]),
        ("undo contract", "down", ["new"]),
        ("old back", "down", ["old", "new"]),
        ("downgrade", "down", ["old"]),
        ("expand again", "up", ["old"]),
        ("at the end", "up", ["old", "new"]),
    ]
    check_costs_nothing(document)
    assert {each["what"].partition(" took ")[0] for each in document["findings"]} == {"a write"}
    assert own.worktrees() == []


@pytest.mark.slow
def test_what_cannot_run_fails_too(project: Path) -> None:
    ran = run(project, commands="frobnicate")
    assert (ran.status, ran.outputs["report"]) == (2, {"status": "2"})
    assert "::error::There is no command frobnicate: name verify, lint, plan or rehearse." in ran.printed
    assert "Error: There is nothing to report" in ran.printed
    assert ran.documents == []


def test_the_workflow_uses_the_action() -> None:
    steps = read_yaml(".github/workflows/ci.yml")["jobs"]["migrations"]["steps"]
    (step,) = (each for each in steps if each.get("uses", "").startswith("./"))
    assert step["uses"] == f"./{FOLDER}"
    assert step["with"].keys() <= read_yaml(ACTION)["inputs"].keys()
    assert step["with"]["commands"].split() == ["verify", "lint", "rehearse"]
    assert roster_refusal("db", "rehearse", *step["with"]["rehearse-options"].split()) == ""
    # The base of a pull request is a commit of the history.
    assert steps[0]["with"] == {"fetch-depth": 0}
