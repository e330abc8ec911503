"""What a proof takes over from a server and from models: roles, schemas and versions, locks, and named differences."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, make_url

from service.migrate.errors import Unusable
from service.migrate.proof import scratch
from service.migrate.proof.drift import copies
from service.migrate.proof.drift.models import named
from service.migrate.proof.rehearse.locks import Longest, watched
from service.migrate.proof.rehearse.messages import Watch
from tests.migrate.memory import in_memory


def test_a_copy_is_made_beside_a_database_of_the_same_version(postgres_admin_url: str) -> None:
    def read(connection: Connection) -> copies.Surroundings:
        connection.exec_driver_sql('CREATE SCHEMA "The Own"')
        connection.exec_driver_sql('SET search_path TO "The Own", public')
        connection.exec_driver_sql("CREATE TABLE books (id integer)")
        return copies.surroundings(connection)

    with scratch.postgresql_database(postgres_admin_url) as url:
        like = scratch.in_database(url, read)
    assert (like.dialect, like.schemas) == ("postgresql", ("The Own", "public"))
    assert like.owner == make_url(postgres_admin_url).username
    assert like.owner in like.roles
    with copies.beside(like, postgres_admin_url) as empty, empty() as url:
        query = "SELECT current_schemas(false)::text[]"
        assert scratch.in_database(url, lambda one: one.exec_driver_sql(query).scalar_one()) == ["The Own", "public"]
    message = (
        rf"^--server is PostgreSQL {like.version} and the database PostgreSQL 14, .* name a server of version 14\.$"
    )
    with (
        copies.beside(replace(like, version=14), postgres_admin_url) as empty,
        pytest.raises(Unusable, match=message),
        empty(),
    ):
        pass


def test_a_copy_of_sqlite_is_a_file() -> None:
    with in_memory() as connection:
        like = copies.surroundings(connection)
    assert like == copies.Surroundings(dialect="sqlite")
    with copies.beside(like, None) as empty, empty() as url:
        assert url.startswith("sqlite:///")


async def test_what_waits_for_the_migrator_and_what_it_holds_is_sampled(empty_postgres_url: str) -> None:
    named = {"application_name": "the migrator"}
    migrator = await asyncpg.connect(empty_postgres_url, server_settings=named)
    request = await asyncpg.connect(empty_postgres_url)
    await migrator.execute("CREATE TABLE books (id integer); CREATE TABLE others (id integer)")
    longest, stopped, begun = Longest(), asyncio.Event(), asyncio.Event()
    watch = Watch(migrators=("the migrator",), tables=("books",), pause_seconds=0.001)
    watching = asyncio.ensure_future(watched(empty_postgres_url, watch, stopped, longest, begun.set))
    try:
        async with asyncio.timeout(60):
            await begun.wait()
            async with migrator.transaction():
                await migrator.execute("LOCK TABLE books; LOCK TABLE others")
                reading = asyncio.ensure_future(request.fetch("SELECT * FROM books"))
                while not (longest.waited[0] and longest.held[0]):
                    await asyncio.sleep(0.002)
            await reading
            # A sampler whose server was restarted samples on.
            await migrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rehearse locks' "
                "AND datname = current_database()"
            )
            before = longest.samples
            while longest.samples < before + 3:
                await asyncio.sleep(0.002)
    finally:
        stopped.set()
        locks = await watching
        await asyncio.gather(migrator.close(), request.close())
    assert (locks.waiting, locks.holding) == ("books AccessShareLock", "books AccessExclusiveLock")
    assert locks.waited_ms > 0
    assert locks.held_ms > 0
    assert locks.samples == longest.samples


METADATA = sa.MetaData()
TABLE = sa.Table(
    "books",
    METADATA,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("up", sa.ForeignKey("books.id", name="fk")),
    sa.CheckConstraint("id > 0", name="ck"),
    sa.UniqueConstraint("up", "id"),
    sa.Index("ix", "up", unique=True),
    comment="theirs",
)
CONSTRAINTS: dict[str, Any] = {type(each).__name__: each for each in TABLE.constraints}
(INDEX,) = TABLE.indexes
OTHER = sa.Index("ix", sa.text("lower(up)"), _table=TABLE)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("add_table", TABLE), ("table", "books", None, "2 columns")),
        (("add_table_comment", TABLE, "ours"), ("comment", "books", "ours", "theirs")),
        (("remove_table_comment", TABLE), ("comment", "books", "theirs", None)),
        ([("modify_comment", None, "books", "id", {}, "a", None)], ("column", "books.id", "comment 'a'", "no comment")),
        ([("modify_nullable", None, "books", "id", {}, True, False)], ("column", "books.id", "NULL", "NOT NULL")),
        (
            [("modify_type", None, "books", "id", {}, sa.Text(), sa.String(9))],
            ("column", "books.id", "type TEXT", "type VARCHAR(9)"),
        ),
        (("remove_index", INDEX), ("index", "ix of books", "unique on books.up", None)),
        (("replace", INDEX, OTHER), ("index", "ix of books", "unique on books.up", "on lower(up)")),
        (
            ("add_fk", CONSTRAINTS["ForeignKeyConstraint"]),
            ("constraint", "fk of books", None, "FOREIGN KEY (up) REFERENCES books.id"),
        ),
        (("add_constraint", CONSTRAINTS["CheckConstraint"]), ("constraint", "ck of books", None, "CHECK (id > 0)")),
        (
            ("remove_constraint", CONSTRAINTS["UniqueConstraint"]),
            ("constraint", "(up, id) of books", "UNIQUE (up, id)", None),
        ),
        (("add_sequence", "numbers"), ("object", "add_sequence numbers", None, None)),
    ],
)
def test_a_difference_of_alembics_has_a_name_and_two_definitions(
    found: Any, expected: tuple[str, str, str | None, str | None]
) -> None:
    (difference,) = named([found, found])
    assert (difference.kind, difference.name, difference.database, difference.expected) == expected
