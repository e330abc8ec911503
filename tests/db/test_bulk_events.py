"""The events of rows that are inserted in bulk on PostgreSQL: which rows are read for them, and their texts."""

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Column, Identity, Integer, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster, create_app
from service.db import bulk_events
from service.db.audit import Subject, subject
from service.models import Base, User
from service.settings import Settings

_BATCH = 1000
_READ = text("SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'users'")


@pytest.fixture
async def roster(fresh_postgres_url: str) -> AsyncIterator[Roster]:
    roster = create_app(Settings(database_url=fresh_postgres_url))
    yield roster
    await roster.database.close()


async def stored(roster: Roster, sql: str) -> Sequence[Any]:
    async with roster.database.reading.connect() as connection:
        return (await connection.scalars(text(sql))).all()


async def test_events_of_a_batch_read_its_rows_alone(roster: Roster) -> None:
    columns = ("name", "email", "name_key", "email_key")

    async def insert(session: AsyncSession, first: int) -> tuple[int, ...]:
        rows = [("Ann", f"a{at}@b.c", "ann", f"a{at:04}@b.c") for at in range(first, first + _BATCH)]
        await bulk_events.insert_many(session, Base.metadata.tables[User.__tablename__], subject(User), columns, rows)
        return tuple((await session.execute(_READ)).one())

    batches = range(0, 4 * _BATCH, _BATCH)
    read = [await roster.database.units.run(partial(insert, first=first)) for first in batches]
    # The table is new: no statistics tell PostgreSQL how few of its rows are meant. The view counts on.
    assert read == [(0, _BATCH * number) for number in range(1, 5)]
    ids = await stored(roster, "SELECT id FROM users ORDER BY email_key")
    assert await stored(roster, "SELECT resource_id FROM events ORDER BY id") == ids == sorted(ids)


async def test_an_event_shows_the_columns_that_have_a_value(roster: Roster) -> None:
    names = ("a", "b", "c", "d")
    columns = [Column(name, Text, nullable=name != "c") for name in names]
    table = Table("things", MetaData(), Column("id", Integer, Identity(), primary_key=True), *columns)
    rows = [[None, None, "c", None], ["a", None, '"', "d"], [None, "b", "ä", None], ["a", "b", "\\", None]]

    async def insert(session: AsyncSession) -> None:
        await (await session.connection()).run_sync(table.create)
        await bulk_events.insert_many(session, table, Subject("things", "thing", names, frozenset()), names, rows)

    await roster.database.units.run(insert)
    told = [json.loads(each) for each in await stored(roster, "SELECT changes FROM events ORDER BY id")]
    assert told == [{name: [None, it] for name, it in zip(names, row, strict=True) if it is not None} for row in rows]
