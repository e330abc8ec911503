"""Each recipe of the guide is a revision that upgrades through its phases and downgrades, with rows."""

import re
from pathlib import Path

import pytest
import yaml

from service.migrate.entrypoints.aio import backfill, contract, downgrade, purge, upgrade
from service.migrate.entrypoints.commands import head
from service.migrate.entrypoints.status import status
from service.migrate.plan import config
from tests.alembic import eras
from tests.alembic.catalog import catalog
from tests.alembic.store import opened
from tests.docs.consoles import Session, steps
from tests.migrate.conftest import project
from tests.migrate.project import SAFE, Project
from tests.project.files import read

pytestmark = pytest.mark.slow

__all__ = ["project"]

GUIDE = read("docs/schema-changes.md")
CODE = re.compile(r"^### (?P<title>.+?)\n(?:(?!^### ).*\n)*?```python\n(?P<code>(?:.*\n)*?)```", re.MULTILINE)
RECIPES = {
    found["title"]: found["code"] for found in CODE.finditer(GUIDE.partition("## Recipes")[2].partition("\n## ")[0])
}


def test_there_is_a_recipe_for_each_kind_of_change() -> None:
    assert list(RECIPES) == [
        "Add a column",
        "Rename a column",
        "Rename a table",
        "Split a column",
        "Change a type",
        "Drop a column",
        "Make a column required",
        "Make values unique",
        "Move a column to another table",
    ]


def add(project: Project, code: str) -> None:
    parts = f"{code}\n\ndef downgrade() -> None:\n    ops.undo()\n"
    (project.versions / "9001_recipe.py").write_text(SAFE.format(id="9001_recipe", after=head(), parts=parts))
    config.forget()


@pytest.mark.parametrize("title", RECIPES)
async def test_a_recipe_goes_up_and_down_with_every_value(fresh_url: str, project: Project, title: str) -> None:
    async with opened(fresh_url) as store:
        # Ids beyond those of the built-in roles.
        await eras.write(store, 4)
        await eras.write(store, 5)
        schema, rows = await catalog(store), await eras.read(store)
        add(project, RECIPES[title])
        await upgrade(fresh_url)
        await backfill(fresh_url)
        await contract(fresh_url)
        found = (await status(fresh_url)).phases
        assert (found.incomplete, found.backfill, found.contract, found.drift) == ((), (), (), ())
        assert await catalog(store) != schema
        await contract(fresh_url, "9001_recipe", undo=True)
        await downgrade(fresh_url, "-1")
        assert await catalog(store) == schema
        assert_every_value_is_there(rows, await eras.read(store))
        await purge(fresh_url)
        assert await catalog(store, with_trash=True) == schema


def assert_every_value_is_there(before: eras.Rows, after: eras.Rows) -> None:
    """All rows are what they were; where there was no value one may have been filled in, which is a change."""
    for table, rows in before.items():
        for was, row in zip(rows, after[table], strict=True):
            known = {name: value for name, value in was.items() if value is not None}
            if "version" in known and any(row[name] is not None for name in was.keys() - known.keys()):
                known["version"] += 1
            assert {name: row[name] for name in known} == known


async def test_the_first_example_is_a_whole_revision(fresh_url: str, project: Project) -> None:
    code = GUIDE.partition("```python\n")[2].partition("```")[0]
    file = project.versions / "9001_example.py"
    file.write_text(f"{code}\n\nrevision = '9001_example'\ndown_revision = {head()!r}\n")
    config.forget()
    await upgrade(fresh_url)
    assert (await status(fresh_url)).current == ("9001_example",)


def test_every_command_of_the_guide_works_one_after_the_other(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for step in steps(GUIDE):
        output = session.run(f"{step.command} && echo good")
        assert output.endswith("good\n"), f"$ {step.command}\n{output}"


def test_the_job_is_one_that_kubernetes_can_read() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    job = yaml.safe_load(text)
    pod = job["spec"]["template"]["spec"]
    assert (job["kind"], pod["restartPolicy"]) == ("Job", "Never")
    arguments = [container["args"] for container in (*pod["initContainers"], *pod["containers"])]
    assert arguments == [["db", "upgrade"], ["db", "backfill"]]
