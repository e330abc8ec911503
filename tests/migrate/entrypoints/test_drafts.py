"""`alembic revision --autogenerate` and `roster db revision`: the text of the drafts."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic import command

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import backfill, contract, current, downgrade, upgrade
from service.migrate.errors import Refused
from service.migrate.plan.config import configuration, forget, scripts
from tests import programs
from tests.alembic.catalog import catalog
from tests.alembic.store import opened
from tests.migrate.project import Project, following

pytestmark = pytest.mark.slow

ADDED = '''"""Nothing new under the sun.

Say why the schema changes, and the effect on traffic.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "REVISION"
down_revision = "HEAD"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def contract() -> None:
    ops.drop_table("stray", sa.Column("name", sa.VARCHAR(length=9), nullable=True))


def downgrade() -> None:
    ops.undo()
'''


async def test_a_draft_of_everything_makes_the_very_schema_of_the_models(
    template_url: str, empty_url: str, project: Project
) -> None:
    async with opened(template_url) as made:
        wanted = await catalog(made)
    project.clear()
    file = commands.draft(empty_url, "Create everything.")
    assert file is not None
    assert await upgrade(empty_url) == ["0001_create_everything"]
    async with opened(empty_url) as store:
        assert await catalog(store) == wanted
    text = file.read_text()
    assert text.startswith('"""Create everything.\n')
    assert "service.db" not in text
    assert "ops.now()" in text
    for check in (["format", "--check"], ["check", "--ignore=INP001"]):
        # Read from standard input, the draft is linted under its own file name.
        name = f"--stdin-filename=alembic/versions/{file.name}"
        run = [sys.executable, "-m", "ruff", *check, "--quiet", name, "-"]
        assert subprocess.run(run, check=False, input=text, text=True).returncode == 0


async def test_a_draft_is_numbered_named_and_formatted(fresh_url: str, project: Project) -> None:
    async with opened(fresh_url) as store:
        await store.execute("CREATE TABLE stray (name VARCHAR(9))")
    added = ADDED.replace("REVISION", following("nothing_new_under_the_sun")).replace("HEAD", commands.head())
    file = commands.draft(fresh_url, "nothing new under the sun!")
    assert file is not None
    assert file.name[15:] == "_nothing_new_under_the_sun.py"
    assert file.read_text().replace(", autoincrement=False", "") == added


ASTRAY = """
with op.batch_alter_table("users") as users:
    users.alter_column("name", existing_type=sa.String(50), nullable=True)
    users.alter_column("address", existing_type=sa.String(100), type_=sa.String(90))
    users.drop_constraint("uq_users_external_id", type_="unique")
    users.create_unique_constraint("uq_users_email", ["email"])
    users.add_column(sa.Column("sample_nickname", sa.String(10)))
op.drop_index("ix_users_name_key_id", table_name="users")
op.create_index("ix_users_age", "users", ["age"])
with op.batch_alter_table("records") as records:
    records.drop_constraint("fk_records_owner_id_users", type_="foreignkey")
    records.alter_column("tags", existing_type=sa.JSON(), nullable=True)
op.drop_table("idempotency_keys")
op.create_table("stray", sa.Column("id", sa.Integer(), primary_key=True))
"""


async def test_a_draft_of_what_went_astray_leads_back_in_safe_steps(fresh_url: str, project: Project) -> None:
    astray = following("astray")
    project.add(astray, after=commands.head(), up=ASTRAY)
    await upgrade(fresh_url)
    file = commands.draft(fresh_url, "lead back")
    assert file is not None
    text = file.read_text()
    expand, contract_text = text.split("def contract() -> None:")
    for operation in ("create_table", "change_type", "add_unique", "create_index", "add_foreign_key"):
        assert f"ops.{operation}(" in expand
    for operation in ("set_not_null", "drop_column", "drop_index", "drop_constraint", "drop_table"):
        assert f"ops.{operation}(" in contract_text
        assert f"ops.{operation}(" not in expand
    async with opened(fresh_url) as store:
        before = await catalog(store)
        await upgrade(fresh_url)
        await contract(fresh_url)
        assert commands.differences(fresh_url) == []
        await downgrade(fresh_url, astray)
        assert await catalog(store) == before


async def test_an_empty_draft_asks_no_database(project: Project) -> None:
    numbered = following("move_the_names_of_the")
    file = commands.draft("postgresql://127.0.0.1:1/none", "move the names of the people somewhere else", empty=True)
    assert file is not None
    imports = [line for line in file.read_text().splitlines() if line.startswith(("import", "from"))]
    assert imports == ["from service.migrate import ops"]
    assert scripts().get_current_head() == numbered


async def test_alembic_s_own_command_numbers_its_drafts_too(project: Project) -> None:
    numbered = following("by_hand")
    done = programs.run("alembic", "-c", str(project.folder / "alembic.ini"), "revision", "-m", "by hand")
    assert done.returncode == 0, done.stderr
    forget()
    assert scripts().get_current_head() == numbered


def test_an_id_that_someone_chose_is_kept(project: Project) -> None:
    command.revision(configuration(url="sqlite:///none.db", draft=True), "chosen", rev_id="mine")
    forget()
    assert scripts().get_current_head() == "mine"


async def test_a_draft_needs_a_database_at_head(empty_url: str) -> None:
    await upgrade(empty_url, "0001")
    with pytest.raises(Refused, match="run `roster db upgrade`, then draft again"):
        commands.draft(empty_url, "too early")
    assert await current(empty_url) == ("0001_create_users",)


async def test_what_is_left_of_a_revision_is_no_change_to_draft(fresh_url: str, project: Project) -> None:
    rename = 'ops.rename_column("users", sa.Column("address", sa.String(100)), sa.Column("street", sa.String(100)))'
    street = following("street")
    project.add_safe(street, after=commands.head(), up=rename)
    await upgrade(fresh_url)
    for ask in (partial(commands.draft, fresh_url, "more"), partial(commands.differences, fresh_url)):
        with pytest.raises(
            Refused, match=rf"^{street} is not (backfilled|contracted): .* Run `roster db backfill` and"
        ):
            ask()
    await backfill(fresh_url)
    with pytest.raises(Refused, match=f"{street} is not contracted"):
        commands.draft(fresh_url, "more")
    await contract(fresh_url)
    assert len(commands.differences(fresh_url)) == 2


def test_without_ruff_a_draft_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.migrate.entrypoints import autogenerate

    monkeypatch.setattr(autogenerate, "find_spec", lambda _name: None)
    file = tmp_path / "draft.py"
    file.write_text("x   =  1")
    assert autogenerate.format_draft(str(file), {}) == str(file)
    assert file.read_text() == "x   =  1"
