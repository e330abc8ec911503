"""Database URLs as people and hosting services write them."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from service.app import create_app
from service.db import url_parameters
from service.db.database import direct_url
from service.db.engine import Purpose
from service.db.url_parameters import connect_arguments
from service.db.urls import parse_url, place, shown, sqlite_file
from service.errors import Misconfigured
from service.migrate.entrypoints import aio
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import create_tables, engine_on
from tests.db.tables import Mark, count, marks
from tests.programs import run

NEON = "postgresql://ann:npg@ep-cool-123.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require"
SUPABASE = "postgres://postgres.abc:pw@aws-0-eu.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("postgres://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgresql://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("POSTGRES://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgresql+asyncpg://ann@host:6432/db", "postgresql+asyncpg://ann@host:6432/db"),
        ("postgresql+psycopg2://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgres://host/db?sslmode=require", "postgresql+asyncpg://host/db?sslmode=require"),
        ("postgres://host/db?ssl=verify-full", "postgresql+asyncpg://host/db?sslmode=verify-full"),
        ("postgres://host/db?ssl=true", "postgresql+asyncpg://host/db?sslmode=require"),
        ("postgres://host/db?ssl=true&sslmode=verify-ca", "postgresql+asyncpg://host/db?sslmode=verify-ca"),
        ("postgres://host/db?sslmode=verify-ca&ssl=true", "postgresql+asyncpg://host/db?sslmode=verify-ca"),
        ("postgres://host/db?sslmode=no-verify", "postgresql+asyncpg://host/db?sslmode=require"),
        ("postgres://host/db?schema=public", "postgresql+asyncpg://host/db"),
        ("postgres://host/db?schema=app", "postgresql+asyncpg://host/db?search_path=app"),
        ("postgres://host/db?statement_cache_size=0", "postgresql+asyncpg://host/db?pgbouncer=true"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+asyncpg:///db?host=%2Frun%2Fpostgresql"),
        ("postgresql://%2Frun%2Fpg:5433/db", "postgresql+asyncpg:///db?host=%2Frun%2Fpg&port=5433"),
        ("postgres://a@/db?host=/cloudsql/p:eu:i", "postgresql+asyncpg://a@/db?host=%2Fcloudsql%2Fp%3Aeu%3Ai"),
        ("postgresql://[::1]:5432/db", "postgresql+asyncpg://[::1]:5432/db"),
        ("postgres://h1,h2:5433/db", "postgresql+asyncpg:///db?host=h1%2Ch2&port=5432%2C5433"),
        ("postgres:///db?host=h1,h2&port=5433", "postgresql+asyncpg:///db?host=h1%2Ch2&port=5433%2C5433"),
        ("postgres:///db?host=h1:1&host=h2:2", "postgresql+asyncpg:///db?host=h1%2Ch2&port=1%2C2"),
        ("postgres://[::1]:1,[::2]:2/db", "postgresql+asyncpg:///db?host=%3A%3A1%2C%3A%3A2&port=1%2C2"),
        ("postgres:///?user=ann&password=p@w&dbname=db&host=host&port=1", "postgresql+asyncpg://ann:p%40w@host:1/db"),
        ("postgres://bob:x@old/old?user=ann&host=host&dbname=db", "postgresql+asyncpg://ann:x@host/db"),
        (" postgresql://ann@host/db\n", "postgresql+asyncpg://ann@host/db"),
        ("sqlite:///roster.db", "sqlite+aiosqlite:///roster.db"),
        ("sqlite:////var/lib/roster.db", "sqlite+aiosqlite:////var/lib/roster.db"),
        ("sqlite+pysqlite:///roster.db", "sqlite+aiosqlite:///roster.db"),
    ],
)
def test_urls_are_read_as_people_write_them(written: str, read: str) -> None:
    assert parse_url(written).render_as_string(hide_password=False) == read


def test_a_password_may_hold_anything() -> None:
    assert parse_url("postgres://ann:p%40ss%2Fw%25rd@host/db").password == "p@ss/w%rd"
    assert parse_url("postgres:///db?user=ann&password=a%26b+c%23").password == "a&b+c#"


def test_what_has_no_effect_is_said_in_one_line_and_once(caplog: pytest.LogCaptureFixture) -> None:
    url_parameters._warn_once.cache_clear()
    url = "postgres://ann:secret@host/db?channel_binding=require&application_name=x&supa=base&pool_timeout=5"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            parse_url(url)
    assert [record.getMessage() for record in caplog.records] == [
        (
            "Ignored in the database URL: application_name (each session is named after the program and its purpose), "
            "channel_binding (asyncpg has no channel binding), pool_timeout (set ROSTER_POOL_WAIT_SECONDS), supa."
        )
    ]


def test_a_command_says_it_once_too_and_shows_the_url_as_written() -> None:
    url = "postgres://ann:secret@127.0.0.1:1/db?sslmode=disable&channel_binding=require"
    done = run("service", "db", "--database", url, "status")
    assert done.returncode == 1
    warned, failed = done.stderr.splitlines()
    assert warned == "Ignored in the database URL: channel_binding (asyncpg has no channel binding)."
    assert failed.startswith("Error: The database db at 127.0.0.1:1 cannot be used: ")
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("written", "url", "arguments"),
    [
        (NEON, "postgresql+asyncpg://ann:npg@ep-cool-123.eu-central-1.aws.neon.tech/neondb", {"dsn": "postgresql://?sslmode=require"}),
        (SUPABASE, "postgresql+asyncpg://postgres.abc:pw@aws-0-eu.pooler.supabase.com:6543/postgres", {}),
        ("postgres://h/db?options=endpoint%3Dep-1", "postgresql+asyncpg://h/db", {"dsn": "postgresql://?options=endpoint%3Dep-1"}),
        ("postgres://h/db?connect_timeout=7", "postgresql+asyncpg://h/db", {"timeout": 7.0}),
        ("postgres://h/db?sslmode=verify-full&sslrootcert=system", "postgresql+asyncpg://h/db", {"ssl": True}),
        ("postgres://h1,h2/db", "postgresql+asyncpg:///db?host=h1%2Ch2&port=5432%2C5432", {}),
    ],
)  # fmt: skip
def test_the_driver_is_given_what_it_takes(written: str, url: str, arguments: dict[str, object]) -> None:
    found, given = connect_arguments(parse_url(written))
    assert (found.render_as_string(hide_password=False), given) == (url, arguments)


def test_a_url_of_a_hosting_service_leads_through_its_pooler() -> None:
    roster = create_app(Settings(database_url=SUPABASE))
    assert roster.database.writing.url.password == "pw"
    with pytest.raises(Misconfigured, match="ROSTER_MIGRATE_URL"):
        direct_url(Settings(database_url=SUPABASE))


@pytest.mark.parametrize(
    ("written", "for_people", "where"),
    [
        (NEON, NEON.replace("npg@", "***@"), "The database neondb at ep-cool-123.eu-central-1.aws.neon.tech"),
        (
            "postgres://h1:1,[::1]:2/db?password=x",
            "postgres://h1:1,[::1]:2/db?password=***",
            "The database db at h1:1, [::1]:2",
        ),
        ("postgres:///db?host=/run/pg", "postgres:///db?host=/run/pg", "The database db at /run/pg"),
        ("postgres:///db", "postgres:///db", "The database db at the local socket"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db", "The file /var/a.db"),
    ],
)
def test_a_url_is_shown_as_it_was_written(written: str, for_people: str, where: str) -> None:
    assert (shown(written), place(parse_url(written))) == (for_people, where)
    assert "+asyncpg" not in shown(parse_url(written))
    assert "npg" not in shown(parse_url(written))


async def test_a_server_is_reached_in_each_way_of_writing(empty_postgres_url: str) -> None:
    url = make_url(empty_postgres_url)
    login = f"{url.username}:{url.password}"
    for written in (
        f"postgres://{login}@{url.host}:{url.port}/{url.database}?options=-csearch_path%3Dapp&connect_timeout=3",
        f"postgres://{login}@127.0.0.1:1,{url.host}:{url.port}/{url.database}?schema=app&target_session_attrs=primary",
        (
            f"postgres:///{url.database}?user={url.username}&password={url.password}&host={url.host}&port={url.port}"
            "&search_path=app&sslmode=prefer&channel_binding=prefer"
        ),
    ):
        async with engine_on(written) as engine, engine.connect() as connection:
            found = await connection.execute(text("SELECT current_database(), current_setting('search_path')"))
            assert found.one() == (url.database, "app"), written


async def test_a_schema_of_its_own_is_migrated(empty_postgres_url: str) -> None:
    async with engine_on(empty_postgres_url) as engine, engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA app"))
    url = f"{empty_postgres_url}?options=-csearch_path%3Dapp"
    await aio.upgrade(url)
    async with engine_on(empty_postgres_url, Purpose.READ) as engine, engine.connect() as connection:
        found = await connection.execute(text("SELECT count(*) FROM app.users"))
        assert found.scalar() == 0


@pytest.mark.parametrize(
    "name", ["plain.db", "with space.db", "100%.db", "ärger-日本.db", "a#b.db", "a&b=c.db", "a'b.db", "a:b@c.db"]
)
async def test_a_sqlite_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path / name}"
    await create_tables(url)
    async with engine_on(url) as writing, writing.begin() as connection:
        await connection.execute(text("INSERT INTO marks (text) VALUES ('first')"))
    async with engine_on(url, Purpose.READ) as reading:
        assert await marks(reading) == ["first"]
    assert sqlite_file(parse_url(url)) == tmp_path / name
    assert {each.name.removesuffix("-wal").removesuffix("-shm") for each in tmp_path.iterdir()} == {name}


def test_percent_signs_are_decoded_once() -> None:
    assert parse_url("sqlite:///%41%20b.db").database == "A b.db"
    assert parse_url("postgres://host/my%20db").database == "my db"


async def test_a_relative_sqlite_path_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await create_tables("sqlite:///data.db")
    async with engine_on("sqlite:///data.db", Purpose.READ) as reading:
        assert await count(reading, Mark) == 0
    assert (tmp_path / "data.db").exists()
    assert place(parse_url("sqlite:///data.db")) == f"The file {tmp_path}/data.db"


async def test_the_password_stays_out_of_answers_logs_and_descriptions(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database_url="postgres://ann:secret@127.0.0.1:1/db", unit_deadline_seconds=0)
    roster = create_app(settings)
    async with client_of(roster) as client:
        answers = [await client.get("/v1/users"), await client.post("/v1/users", json={"name": "A", "email": "a@b"})]
    await roster.database.close()
    assert [answer.status_code for answer in answers] == [503, 503]
    told = [repr(settings), repr(roster.database.reading), repr(roster.database.writing.url)]
    told += [*(answer.text for answer in answers), *capsys.readouterr(), caplog.text]
    assert not [each for each in told if "secret" in each]
