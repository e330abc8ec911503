import pytest

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints.aio import downgrade, upgrade
from service.migrate.state.compatibility import NEWEST, OLDEST, Place, check, place


@pytest.mark.parametrize(
    ("heads", "expected", "works"),
    [
        ([], Place.EMPTY, False),
        (["0001_create_users"], Place.BEHIND, False),
        ([OLDEST], Place.INSIDE, True),
        ([NEWEST], Place.INSIDE, True),
        (["9999_newer"], Place.AHEAD, True),
        ([NEWEST, "9999_newer"], Place.SPLIT, False),
    ],
)
def test_this_code_works_with_what_it_knows_and_with_what_newer_code_added(
    heads: list[str], expected: Place, *, works: bool
) -> None:
    assert place(heads) is expected
    assert place(heads).works is works


async def test_a_database_is_asked_by_one_select(empty_url: str) -> None:
    await upgrade(empty_url)
    reader = create_engine(empty_url, Purpose.READ)
    assert await check(reader) is Place.INSIDE
    await downgrade(empty_url, "0001")
    assert await check(reader) is Place.BEHIND
    await reader.dispose()


async def test_a_database_with_no_tables_is_empty(empty_url: str) -> None:
    engine = create_engine(empty_url, Purpose.MIGRATE)
    assert await check(engine) is Place.EMPTY
    await engine.dispose()
