import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.app import Roster
from service.db.partitions import create_ahead, drop_before
from service.db.time_ids import id_at
from service.housekeeping import keep_house
from service.logins import actions
from tests.conftest import serving_in_process
from tests.postgres import fresh_database

NOVEMBER = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)


@pytest.fixture
async def roster(postgresql_template_url: str, postgres_admin_url: str) -> Any:
    """A service on a PostgreSQL of this test's own."""
    from sqlalchemy import make_url

    template = make_url(postgresql_template_url).database
    async with fresh_database(postgres_admin_url, template=template) as url, serving_in_process(url) as roster:
        yield roster


async def store(roster: Roster, *moments: datetime) -> None:
    async with roster.database.writing.begin() as connection:
        for moment in moments:
            await connection.exec_driver_sql(
                f"INSERT INTO logins (id, outcome, address, network) VALUES ({id_at(moment)}, 'ok', '::1', '::/64')"
            )


async def places(roster: Roster) -> dict[str, int]:
    """The number of rows in each partition."""
    async with roster.database.reading.connect() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT c.relname, (SELECT count(*) FROM logins WHERE logins.tableoid = c.oid) AS rows FROM pg_class c "
            "WHERE c.relispartition AND c.relkind = 'r' ORDER BY c.relname"
        )
        return {row.relname: row.rows for row in rows}


async def test_three_months_are_there_ahead_and_no_more_are_made(roster: Roster) -> None:
    made = await create_ahead(roster.database, "logins", NOVEMBER)
    assert made == ["logins_2026_11", "logins_2026_12", "logins_2027_01"]
    assert await create_ahead(roster.database, "logins", NOVEMBER) == []
    assert await create_ahead(roster.database, "logins", NOVEMBER + timedelta(days=4)) == ["logins_2027_02"]
    ends = [datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)]
    await store(roster, NOVEMBER, ends[0] - timedelta(microseconds=1), ends[0], ends[1])
    assert await places(roster) == {
        "logins_2026_11": 2,
        "logins_2026_12": 1,
        "logins_2027_01": 0,
        "logins_2027_02": 0,
        "logins_default": 1,
    }


async def test_a_month_that_has_rows_elsewhere_stays_there(roster: Roster) -> None:
    await store(roster, NOVEMBER)
    assert await create_ahead(roster.database, "logins", NOVEMBER) == ["logins_2026_12", "logins_2027_01"]
    assert (await places(roster))["logins_default"] == 1


async def test_a_partition_has_the_indexes_and_the_owner_of_the_table(roster: Roster) -> None:
    await create_ahead(roster.database, "logins", NOVEMBER)
    async with roster.database.reading.connect() as connection:
        parent, child = [
            (await connection.exec_driver_sql(f"SELECT count(*) FROM pg_indexes WHERE tablename = '{name}'")).scalar()
            for name in ("logins", "logins_2026_11")
        ]
        owners = await connection.exec_driver_sql(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ 'logins'"
        )
        assert (parent, len(owners.all())) == (child, 1)
        attached = await connection.exec_driver_sql(
            "SELECT count(*) FROM pg_inherits WHERE inhparent::regclass::text ~ 'ix'"
        )
        assert attached.scalar_one() >= 5


async def test_a_role_that_may_not_create_tables_goes_without(
    roster: Roster, capsys: pytest.CaptureFixture[str]
) -> None:
    async with roster.database.writing.begin() as connection:
        await connection.exec_driver_sql("CREATE ROLE clerk_of_partitions LOGIN PASSWORD 'clerk'")
        await connection.exec_driver_sql("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO clerk_of_partitions")
    url = roster.database.writing.url.set(username="clerk_of_partitions", password="clerk")
    try:
        async with serving_in_process(url.render_as_string(hide_password=False)) as clerk:
            assert await create_ahead(clerk.database, "logins", NOVEMBER) == []
            await store(clerk, NOVEMBER)
    finally:
        async with roster.database.writing.begin() as connection:
            await connection.exec_driver_sql("DROP OWNED BY clerk_of_partitions")
            await connection.exec_driver_sql("DROP ROLE clerk_of_partitions")
    assert "partitions not created" in capsys.readouterr().out
    assert (await places(roster))["logins_default"] == 1


async def test_pruning_drops_whole_months_and_deletes_the_rest(roster: Roster) -> None:
    await create_ahead(roster.database, "logins", NOVEMBER)
    cut = datetime(2026, 12, 10, tzinfo=UTC)
    old = [NOVEMBER, cut - timedelta(microseconds=1), datetime(2026, 2, 1, tzinfo=UTC)]
    await store(roster, *old, cut, cut + timedelta(days=40))
    pruned = await actions.prune(roster.database, cut)
    assert pruned == actions.Pruned(["logins_2026_11"], 2)
    assert await places(roster) == {"logins_2026_12": 1, "logins_2027_01": 1, "logins_default": 0}


async def test_a_session_that_reads_the_table_delays_a_drop_and_a_login_does_not_wait_for_it(roster: Roster) -> None:
    await create_ahead(roster.database, "logins", NOVEMBER)
    async with roster.database.reading.connect() as reader:
        await reader.exec_driver_sql("SELECT count(*) FROM logins")
        dropping = asyncio.ensure_future(
            drop_before(roster.database, "logins", id_at(datetime(2027, 1, 1, tzinfo=UTC)))
        )
        await asyncio.sleep(0.2)
        async with asyncio.timeout(1):
            await store(roster, datetime(2027, 1, 2, tzinfo=UTC))
        assert not dropping.done()
    assert await dropping == ["logins_2026_11", "logins_2026_12"]


async def test_the_service_creates_partitions_as_soon_as_it_starts(roster: Roster) -> None:
    keeping = asyncio.create_task(keep_house(roster.database, roster.settings))
    try:
        async with asyncio.timeout(20):
            while "logins_default" in (found := await places(roster)) and len(found) < 4:
                await asyncio.sleep(0.05)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    assert len(await places(roster)) == 4


async def test_processes_that_start_together_create_each_partition_once(roster: Roster) -> None:
    made = await asyncio.gather(*(create_ahead(roster.database, "logins", NOVEMBER) for _ in range(4)))
    names = [name for each in made for name in each]
    assert len(names) == len(set(names))
    await create_ahead(roster.database, "logins", NOVEMBER)
    assert len(await places(roster)) == 4
