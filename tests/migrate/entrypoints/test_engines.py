"""Runs of one process on the same PostgreSQL database use one engine, and leave no connection."""

import pytest

from service.db.engine import Purpose
from service.db.urls import parse_url
from service.errors import Misconfigured
from service.migrate.entrypoints import engines

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "idle", {})


async def used(url: str, purpose: Purpose = Purpose.MIGRATE) -> object:
    """The engine of a block, which two statements at once used."""
    async with engines.engine(parse_url(url), purpose) as engine:
        async with engine.connect() as one, engine.connect() as other:
            others = await one.exec_driver_sql(SESSIONS)
            # The other connection of this block alone: the blocks before closed theirs.
            assert others.scalar_one() == 1
            assert (await other.exec_driver_sql("SELECT 1")).scalar_one() == 1
            assert engine.dialect.default_schema_name == "public"
        return engine


async def test_an_engine_is_used_again_for_the_same_database_and_purpose(empty_postgres_url: str) -> None:
    first = await used(empty_postgres_url)
    assert await used(empty_postgres_url) is first
    assert await used(empty_postgres_url, Purpose.READ) is not first


async def test_an_engine_of_a_failed_block_is_not(empty_postgres_url: str) -> None:
    with pytest.raises(LookupError):
        async with engines.engine(parse_url(empty_postgres_url), Purpose.MIGRATE) as failed:
            raise LookupError
    assert await used(empty_postgres_url) is not failed


async def test_two_blocks_at_once_have_an_engine_each(empty_postgres_url: str) -> None:
    url = parse_url(empty_postgres_url)
    async with engines.engine(url, Purpose.READ) as one, engines.engine(url, Purpose.READ) as other:
        assert one is not other


@pytest.mark.parametrize("url", ["sqlite:///roster.db", "postgresql+asyncpg://localhost/x?sslmode=disable"])
async def test_what_files_decide_is_looked_up_again(url: str) -> None:
    async with engines.engine(parse_url(url), Purpose.MIGRATE) as first:
        pass
    async with engines.engine(parse_url(url), Purpose.MIGRATE) as second:
        assert second is not first


async def test_a_url_that_cannot_be_used_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"missing\.pem"):
            async with engines.engine(
                parse_url("postgresql+asyncpg://localhost/x?sslmode=verify-full&sslrootcert=missing.pem"), Purpose.READ
            ):
                pass


async def test_few_engines_are_kept() -> None:
    for number in range(2 * engines.MOST):
        async with engines.engine(parse_url(f"postgresql+asyncpg://localhost/d{number}"), Purpose.READ):
            pass
    assert len(engines.idle) == engines.MOST
