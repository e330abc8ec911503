"""Moments that COPY sends as numbers arrive as they were."""

from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import Column, Integer, MetaData, Table, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import create_app
from service.db import bulk
from service.db.types import UtcDateTime
from service.settings import Settings

_MOMENTS = [
    datetime(2026, 11, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    None,
]


async def test_copied_moments_arrive_as_they_were(fresh_postgres_url: str) -> None:
    table = Table("things", MetaData(), Column("Order", Integer), Column("at", UtcDateTime), Column("end", UtcDateTime))
    pairs = [*zip(_MOMENTS, reversed(_MOMENTS), strict=True)]

    async def insert(session: AsyncSession) -> None:
        connection = await session.connection()
        await connection.run_sync(table.create)
        await bulk.insert_many(
            session, table, ["at", "Order", "end"], [(at, n, end) for n, (at, end) in enumerate(pairs)]
        )
        # The session's zone must not matter.
        await connection.execute(text("SET LOCAL TimeZone = 'Asia/Kathmandu'"))
        rows = await connection.execute(select(table.c.at, table.c.end).order_by(table.c.Order))
        assert [tuple(row) for row in rows] == pairs

    roster = create_app(Settings(database_url=fresh_postgres_url))
    try:
        await roster.database.units.run(insert)
    finally:
        await roster.database.close()
