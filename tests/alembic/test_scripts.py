"""`--sql`: a PostgreSQL script has every step of a phase, or the command is refused."""

from collections.abc import AsyncIterator
from io import StringIO

import pytest
from alembic import command

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.aio import backfill, contract, current, purge, upgrade
from service.migrate.errors import Refused
from service.migrate.plan.config import configuration
from tests.alembic import eras
from tests.alembic.catalog import catalog
from tests.alembic.store import Store, opened
from tests.postgres import fresh_database, psql


@pytest.fixture
async def postgres(empty_postgres_url: str) -> AsyncIterator[Store]:
    async with opened(empty_postgres_url) as store:
        yield store


def run(store: Store, script: str) -> None:
    done = psql(store.url, script)
    assert done.stderr == ""
    assert done.returncode == 0


async def test_a_script_up_makes_what_the_migrations_make(postgres: Store, postgres_admin_url: str) -> None:
    async with fresh_database(postgres_admin_url) as url, opened(url) as other:
        await upgrade(url)
        made = await catalog(other)
    run(postgres, commands.script(postgres.url, "head"))
    assert await current(postgres.url) == (commands.head(),)
    # What came by scripts is taken up where it stands.
    await backfill(postgres.url)
    await contract(postgres.url)
    await purge(postgres.url)
    assert await catalog(postgres) == made
    assert commands.differences(postgres.url) == []


@pytest.mark.parametrize("url", ["postgresql://h/x", "sqlite:///none.db"])
def test_a_script_down_is_refused_by_alembic_too(url: str) -> None:
    config = configuration(url=url)
    config.output_buffer = StringIO()
    with pytest.raises(Refused, match=r"A downgrade has no script.* Run `roster db downgrade REVISION`"):
        command.downgrade(config, f"{commands.head()}:base", sql=True)
    assert config.output_buffer.getvalue() == ""


async def test_the_triggers_of_a_script_fold_plain_letters_and_leave_others_to_the_backfill(postgres: Store) -> None:
    await upgrade(postgres.url, "0007")
    run(postgres, commands.script(postgres.url, "0007:0008"))
    await eras.insert(postgres, "users", {"name": "Ann B", "email": "ANN@X.org"})
    await eras.insert(postgres, "users", {"name": "Ånn", "email": "ann@Y.org"})
    keys = "SELECT name_key, email_key FROM users ORDER BY id"
    first = {"name_key": "ann b", "email_key": "ann@x.org"}
    assert await postgres.execute(keys) == [first, {"name_key": None, "email_key": "ann@y.org"}]
    await backfill(postgres.url)
    assert await postgres.execute(keys) == [first, {"name_key": "ånn", "email_key": "ann@y.org"}]


async def test_a_backfill_in_sql_is_written_as_a_script(postgres: Store) -> None:
    await upgrade(postgres.url, "0005")
    await eras.write(postgres, 0)
    await upgrade(postgres.url, "0006")
    run(postgres, commands.phase_script(postgres.url, "backfill", "0006"))
    assert await postgres.value("SELECT count(*) FROM department_employees") == 2
    await backfill(postgres.url)


async def test_a_contract_and_its_purge_are_written_as_scripts(postgres: Store) -> None:
    await upgrade(postgres.url, "0005")
    await eras.write(postgres, 0)
    await upgrade(postgres.url, "0015")
    await backfill(postgres.url)
    for revision in ("0008", "0010", "0011", "0012", "0015"):
        run(postgres, commands.phase_script(postgres.url, "contract", revision))
    assert "_trash_0015_department_id" in str(await catalog(postgres, with_trash=True))
    run(postgres, commands.phase_script(postgres.url, "purge", "0015"))
    assert "department_id" not in str([line for line in await catalog(postgres) if "employees." in line[:20]])


def test_a_backfill_in_python_is_refused_with_the_reason() -> None:
    with pytest.raises(
        Refused,
        match=r"BACKFILL users\.keys runs a Python function, which a script cannot do\. Run `roster db backfill`\.",
    ):
        commands.phase_script("postgresql://h/x", "backfill", "0008")


def test_a_phase_that_a_revision_has_not_says_so() -> None:
    assert commands.phase_script("postgresql://h/x", "contract", "0003") == (
        "-- 0003_add_address_to_users has nothing to contract\n"
    )


def test_a_script_for_sqlite_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="A script cannot alter a table on SQLite"):
        commands.script("sqlite:///none.db", "head")


def test_a_span_that_runs_backwards_is_refused() -> None:
    with pytest.raises(Refused, match="FROM:TO begins with the older revision"):
        commands.script("postgresql://h/x", "0003:0001")
