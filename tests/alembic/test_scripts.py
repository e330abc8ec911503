"""`--sql`: a script for PostgreSQL does all that the migration does, or says what it cannot."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.migrate import commands
from service.migrate.errors import Refused
from service.migrate.runner import current, upgrade
from tests.alembic import eras
from tests.alembic.catalog import catalog
from tests.alembic.store import Store, opened


@pytest.fixture
async def postgres(empty_postgres_url: str) -> AsyncIterator[Store]:
    async with opened(empty_postgres_url) as store:
        yield store


async def test_a_script_up_and_down_makes_what_the_migrations_make(postgres: Store) -> None:
    await postgres.connection.execute(commands.script(postgres.url, "head"))
    made = await catalog(postgres)
    assert await current(postgres.url) == (commands.head(),)
    assert commands.differences(postgres.url) == []
    await postgres.connection.execute(commands.script(postgres.url, f"{commands.head()}:base", down=True))
    assert await catalog(postgres) == []
    await upgrade(postgres.url)
    assert await catalog(postgres) == made


async def test_a_script_folds_plain_letters(postgres: Store) -> None:
    await upgrade(postgres.url, "0007")
    await eras.insert(postgres, "users", {"name": "Ann B", "email": "ANN@X.org"})
    await postgres.connection.execute(commands.script(postgres.url, "0007:head"))
    assert await postgres.execute("SELECT name_key, email_key FROM users") == [
        {"name_key": "ann b", "email_key": "ann@x.org"}
    ]


async def test_a_script_stops_at_letters_it_cannot_fold(postgres: Store) -> None:
    await upgrade(postgres.url, "0007")
    await eras.insert(postgres, "users", {"name": "Ånn", "email": "ann@x.org"})
    with pytest.raises(asyncpg.RaiseError, match="users holds letters beyond ASCII, which only roster db upgrade"):
        await postgres.connection.execute(commands.script(postgres.url, "0007:head"))


def test_a_script_for_sqlite_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="A script cannot alter a table on SQLite"):
        commands.script("sqlite:///none.db", "head")
