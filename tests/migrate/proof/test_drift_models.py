"""Models whose tables `create_all` made are no difference to the database, whatever types and defaults they have."""

import asyncio
import enum
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, func, text
from sqlalchemy.dialects import postgresql as pg

from service.db.engine import Purpose, create_engine
from service.migrate.entrypoints import execution
from service.migrate.entrypoints.project import url_of
from service.migrate.proof import scratch
from tests.postgres import fresh_database


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


TYPES: list[Any] = [
    *(sa.SmallInteger(), sa.BigInteger(), sa.String(), sa.String(20), sa.Text(), sa.Numeric(), sa.Numeric(8, 2)),
    *(sa.Boolean(create_constraint=True, name="b"), sa.Float(), sa.Float(24), sa.Float(53), sa.Double(), sa.Date()),
    *(sa.DateTime(timezone=True), sa.Time(), sa.Interval(), sa.LargeBinary(), sa.Uuid(), sa.JSON(), sa.CHAR(3)),
    *(sa.Enum(Colour, name="colour"), sa.Enum("a", "b", name="ab", native_enum=False, create_constraint=True)),
]
DEFAULTS: list[tuple[Any, Any]] = [
    *(
        (sa.Integer(), "0"),
        (sa.Integer(), text("(1 + 2)")),
        (sa.String(9), ""),
        (sa.String(9), "it's"),
        (sa.JSON(), "{}"),
    ),
    *(
        (sa.Boolean(), sa.true()),
        (sa.Boolean(), "1"),
        (sa.DateTime(timezone=True), func.now()),
        (sa.Text(), sa.null()),
        (sa.JSON(), "{}"),
    ),
    *((sa.Date(), text("CURRENT_DATE")), (sa.Numeric(8, 2), "1.50"), (sa.Float(), text("1e3")), (sa.Text(), "100% :x")),
    *((sa.LargeBinary(), text("'abc'")), (sa.Time(), "12:00:00"), (sa.Text(), "two\nlines"), (sa.Text(), text("NULL"))),
]
ON_POSTGRESQL: list[tuple[Any, Any]] = [
    *((pg.ARRAY(sa.Integer), "{}"), (pg.JSONB(), text("'{}'::jsonb")), (sa.Uuid(), func.gen_random_uuid())),
    *((sa.DateTime(), text("(now() AT TIME ZONE 'utc')")), (pg.INTERVAL(), "1 day"), (pg.INET(), "127.0.0.1")),
    *((sa.Integer(), text("nextval('numbers')")), (pg.ENUM("x", "y", name="xy"), "x"), (sa.Float(), text("random()"))),
    *((pg.TSVECTOR(), ""), (pg.BIT(3), text("B'101'")), (pg.INT4RANGE(), "[1,3)"), (pg.MONEY(), None)),
    *((pg.DOMAIN("positive", sa.Integer, check="value > 0"), None), (sa.String(9, collation="C"), None)),
    *((pg.TIMESTAMP(precision=3), None), (pg.TSTZMULTIRANGE(), None), (pg.MACADDR8(), None), (pg.OID(), None)),
]


def models(backend: str) -> sa.MetaData:
    metadata = sa.MetaData()
    given = [*((each, None) for each in TYPES), *DEFAULTS, *(ON_POSTGRESQL if backend == "postgresql" else [])]
    columns = [sa.Column(f"c{at}", kind, server_default=default) for at, (kind, default) in enumerate(given)]
    sa.Table("every", metadata, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), *columns)
    sa.Sequence("numbers", metadata=metadata)
    sa.Table(
        "Mixed Case",
        metadata,
        sa.Column("The Id", sa.Integer, primary_key=True, comment="it's an id"),
        sa.Column("order", sa.Integer, sa.CheckConstraint('"order" > 0', name="ck"), index=True),
        sa.Column("up", sa.ForeignKey("Mixed Case.The Id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")),
        sa.Column("twice", sa.Integer, sa.Computed('"order" * 2', persisted=True)),
        sa.Index("ix_abs", func.abs(text('"order"')), unique=True),
        sa.Index("ix_some", "up", postgresql_where=text("up > 3"), sqlite_where=text("up > 3")),
    )
    return metadata


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_no_type_and_no_default_is_a_difference(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if backend == "sqlite":
        assert await differences(f"sqlite:///{tmp_path}/every.db", models(backend)) == []
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "every") as url:
        assert await differences(url, models(backend)) == []


async def differences(url: str, metadata: sa.MetaData) -> list[Any]:
    """What a session that only reads finds, as `db drift` does."""

    def create(connection: Connection) -> None:
        metadata.create_all(connection)

    await asyncio.to_thread(scratch.in_database, url, create, writes=True)
    engine = create_engine(url_of(url), Purpose.READ)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda one: execution.differences(one, metadata))
    await engine.dispose()
    return found
