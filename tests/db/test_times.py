import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import DateTime, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from service.app import Roster
from service.db import clock
from service.db.types import UtcDateTime
from service.db.uow import Units
from service.models import Base, User
from tests.db.tables import Counter
from tests.examples import any_load

moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the offset
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14))),
)


def as_sqlite_keeps_it(moment: datetime) -> str:
    process = UtcDateTime().dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())
    assert process is not None
    kept: str = process(moment)
    return kept


@any_load
@given(moments)
def test_the_text_of_a_moment_has_one_width(moment: datetime) -> None:
    assert len(as_sqlite_keeps_it(moment)) == len("2026-03-01 09:00:00.000000")


@any_load
@given(moments, moments)
def test_the_texts_of_moments_are_ordered_as_they_are(one: datetime, other: datetime) -> None:
    assert (one < other) == (as_sqlite_keeps_it(one) < as_sqlite_keeps_it(other))


@any_load
@given(moments)
def test_the_text_of_a_moment_gives_it_back(moment: datetime) -> None:
    dialect = sqlite.dialect()
    process = UtcDateTime().dialect_impl(dialect).result_processor(dialect, None)
    assert process is not None
    assert process(as_sqlite_keeps_it(moment)) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01 09:00:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01 09:00:00.5+02:00", datetime(2026, 3, 1, 7, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        (None, None),
    ],
)
def test_the_text_of_another_program_is_read_too(text: str | None, moment: datetime | None) -> None:
    dialect = sqlite.dialect()
    process = UtcDateTime().dialect_impl(dialect).result_processor(dialect, None)
    assert process is not None
    read = process(text)
    assert (read, read and read.utcoffset()) == (moment, moment and timedelta(0))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 3, 1, 9, 0, 0, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    ],
)
async def test_a_moment_comes_back_from_the_database(units: Units, writing: AsyncEngine, moment: datetime) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Counter(created_at=moment))

    await units.run(work)
    async with writing.connect() as connection:
        found = (await connection.scalars(select(Counter.created_at).where(Counter.created_at == moment))).one()
    assert found == moment
    assert found.utcoffset() == timedelta(0)


async def test_a_moment_without_an_offset_is_refused(units: Units) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Counter(created_at=datetime(2026, 3, 1)))  # noqa: DTZ001 - the very mistake
        await session.flush()

    with pytest.raises(StatementError, match="without an offset"):
        await units.run(work)


async def test_times_of_the_server_sort_among_times_of_python(units: Units, writing: AsyncEngine) -> None:
    async def in_python(session: AsyncSession) -> None:
        session.add(Counter(value=1))

    async def on_the_server(session: AsyncSession) -> None:
        await session.execute(text("INSERT INTO counters (value) VALUES (2)"))

    for work in (in_python, on_the_server, in_python, on_the_server):
        await units.run(work)
        # SQLite's own clock counts in milliseconds.
        await asyncio.sleep(0.003)
    async with writing.connect() as connection:
        ordered = (
            await connection.execute(select(Counter.value, Counter.created_at).order_by(Counter.created_at))
        ).all()
        for value, created_at in ordered:
            again = select(Counter.value).where(Counter.created_at == created_at)
            assert list(await connection.scalars(again)) == [value]
    assert [value for value, _ in ordered] == [1, 2, 1, 2]
    assert all(abs(clock.now() - created_at) < timedelta(minutes=1) for _, created_at in ordered)


async def test_every_row_has_its_own_moment(roster: Roster) -> None:
    async def create(session: AsyncSession) -> User:
        user = User(name="Ann", email=f"{clock.now().timestamp()}@example.org")
        session.add(user)
        await session.flush()
        return user

    async def change(session: AsyncSession) -> User:
        user = await session.get_one(User, first.id)
        user.name = "Bea"
        await session.flush()
        return user

    first = await roster.database.units.run(create)
    await asyncio.sleep(0.002)
    second = await roster.database.units.run(create)
    changed = await roster.database.units.run(change)
    assert first.created_at == first.updated_at < second.created_at == second.updated_at
    assert changed.created_at == first.created_at < second.updated_at < changed.updated_at


def test_no_default_is_a_moment_that_has_passed() -> None:
    defaults = [column.default for table in Base.metadata.tables.values() for column in table.columns]
    fixed = [each.arg for each in defaults if isinstance(each, ScalarElementColumnDefault)]
    assert fixed != []
    assert not [each for each in fixed if isinstance(each, datetime)]


def test_every_time_of_the_schema_is_kept_in_utc() -> None:
    kinds = {str(column): column.type for table in Base.metadata.tables.values() for column in table.columns}
    assert not [name for name, kind in kinds.items() if isinstance(kind, DateTime)]
