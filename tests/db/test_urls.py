from pathlib import Path

import pytest
from sqlalchemy import text

from service.app import create_app
from service.db.engine import Purpose, create_engine, parse_url, sqlite_file
from service.errors import Misconfigured
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import create_tables, engine_on
from tests.db.tables import Mark, count, marks


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("postgres://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgresql://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgresql+asyncpg://ann@host:6432/db", "postgresql+asyncpg://ann@host:6432/db"),
        ("postgresql+psycopg2://ann@host/db", "postgresql+asyncpg://ann@host/db"),
        ("postgres://host/db?sslmode=require", "postgresql+asyncpg://host/db?ssl=require"),
        ("postgres://host/db?ssl=verify-full", "postgresql+asyncpg://host/db?ssl=verify-full"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+asyncpg:///db?host=%2Frun%2Fpostgresql"),
        ("postgresql://[::1]:5432/db", "postgresql+asyncpg://[::1]:5432/db"),
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


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("sqlite:///file:roster.db?uri=true", "path"),
        ("mysql://ann:secret@host/db", "mysql"),
        ("oracle+oracledb://ann:secret@host/db", "oracle"),
        ("roster.db", "cannot be read"),
        ("", "cannot be read"),
        ("postgres://ann:secret@host:port/db", "cannot be read"),
        ("postgres://ann:secret@host:99999999/db", "cannot be read"),
        ("postgres://ann:secret@host/db?channel_binding=require", "channel_binding"),
        ("postgres://ann:secret@host/db?application_name=mine&connect_timeout=3", "application_name, connect_timeout"),
        ("postgres://ann:secret@host/db?sslmode=perhaps", "sslmode"),
    ],
)
def test_urls_that_cannot_work_are_refused_without_telling_the_password(written: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence) as refused:
        create_engine(written, Purpose.SERVE)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "secret" not in repr(refused.value.__context__)


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
