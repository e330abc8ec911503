"""A database without the schema, or no database at all, is 503 with the command that helps, and is left as it is."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url, text

from service.app import create_app
from service.db.engine import Purpose, create_engine
from service.db.sqlite.file import FileUnusable, SqliteFile
from service.migrate.entrypoints.aio import upgrade
from service.settings import Settings
from tests.conftest import client_of
from tests.db.conftest import engine_on
from tests.postgres import Server, execute, fresh_database, unprivileged

USER = {"name": "Ann", "email": "ann@example.org"}
CSV: dict[str, Any] = {"content": "name,email\nAnn,ann@example.org\n", "headers": {"Content-Type": "text/csv"}}


@asynccontextmanager
async def service_on(url: str) -> AsyncIterator[httpx.AsyncClient]:
    roster = create_app(Settings(database_url=url, unit_deadline_seconds=0.2))
    async with client_of(roster) as client:
        yield client
    await roster.database.close()


async def answers_of(url: str) -> dict[str, httpx.Response]:
    """The first answers of a service to every kind of request."""
    async with service_on(url) as client:
        return {
            "create": await client.post("/v1/users", json=USER),
            "create once": await client.post("/v1/users", json=USER, headers={"Idempotency-Key": "one"}),
            "change": await client.patch("/v1/users/1", json={"name": "Eve"}),
            "delete": await client.delete("/v1/users/1"),
            "list": await client.get("/v1/users"),
            "read": await client.get("/v1/users/1"),
            "export": await client.get("/v1/users/export"),
            "import": await client.post("/v1/users/import", **CSV),
            "upsert": await client.post("/v1/users/import?mode=upsert", **CSV),
            "atomic import": await client.post("/v1/users/import?atomic=true", **CSV),
            "dry run": await client.post("/v1/users/import?dry_run=true&mode=upsert", **CSV),
            "schema": await client.get("/v1/schema"),
            "history": await client.get("/v1/schema/history"),
            "ready": await client.get("/readyz"),
        }


def assert_unavailable(answers: dict[str, httpx.Response], *told: str) -> None:
    for name, answer in answers.items():
        assert answer.status_code == 503, f"{name}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        for part in told:
            assert part in answer.json()["detail"], name


async def test_an_empty_database_is_told_of_with_the_command_that_helps(empty_url: str, backend: str) -> None:
    assert_unavailable(await answers_of(empty_url), "`roster db upgrade`")
    if backend == "sqlite":
        assert not Path(make_url(empty_url).database or "").exists()


async def test_a_file_with_nothing_in_it_stays_so(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"
    file.touch()
    assert_unavailable(await answers_of(f"sqlite:///{file}"), "`roster db upgrade`")
    assert await _tables(f"sqlite:///{file}") == 0


async def test_a_table_that_is_missing_is_told_of(fresh_url: str) -> None:
    async with engine_on(fresh_url) as engine, engine.begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS idempotency_keys"))
        await connection.execute(text("ALTER TABLE users RENAME TO people"))
    answers = await answers_of(fresh_url)
    for name in ("schema", "history", "ready"):
        assert answers.pop(name).status_code == 200
    assert_unavailable(answers, "table or column", "`roster db upgrade`")


@pytest.mark.slow
async def test_an_old_revision_is_told_of(empty_url: str) -> None:
    await upgrade(empty_url, "0001_create_users")
    answers = await answers_of(empty_url)
    for name in ("schema", "history"):
        assert answers.pop(name).status_code == 200
    assert_unavailable(answers, "`roster db upgrade`")


@pytest.mark.slow
async def test_a_service_that_waited_for_its_schema_works_without_a_restart(empty_url: str) -> None:
    async with service_on(empty_url) as client:
        assert (await client.post("/v1/users", json=USER)).status_code == 503
        await upgrade(empty_url)
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/v1/users", json=USER)).status_code == 201
        assert len((await client.get("/v1/users")).json()["items"]) == 1


def no_folder(folder: Path) -> Path:
    return folder / "none/roster.db"


def a_file_for_a_folder(folder: Path) -> Path:
    (folder / "none").touch()
    return folder / "none/roster.db"


def a_folder(folder: Path) -> Path:
    (folder / "roster.db").mkdir()
    return folder / "roster.db"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "roster.db")
    return folder / "roster.db"


def a_text(folder: Path) -> Path:
    (folder / "roster.db").write_text("A text that is longer than the header of a database. " * 99)
    return folder / "roster.db"


def a_link_to_nothing(folder: Path) -> Path:
    (folder / "roster.db").symlink_to(folder / "gone.db")
    return folder / "roster.db"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (no_folder, "roster.db is in a folder that does not exist"),
        (a_file_for_a_folder, "roster.db is in a folder that does not exist"),
        (a_folder, "roster.db is a folder"),
        (a_pipe, "roster.db is no regular file"),
        (a_text, "is no SQLite database"),
        (a_link_to_nothing, "gone.db does not exist"),
    ],
)
async def test_what_is_no_database_is_told_with_its_reason(
    tmp_path: Path, make: Callable[[Path], Path], told: str
) -> None:
    file = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    answers = await answers_of(f"sqlite:///{file}")
    assert_unavailable(answers, told)
    assert str(tmp_path) not in str([answer.text for answer in answers.values()])
    assert sorted(tmp_path.rglob("*")) == before


async def test_what_postgresql_refuses_is_told_without_secrets(private_postgres: Server) -> None:
    async with fresh_database(private_postgres.url) as fresh:
        await upgrade(fresh)
        await execute(private_postgres.url, "CREATE ROLE stranger LOGIN PASSWORD 'right'")
        url = make_url(fresh)
        for wrong, told in (
            (url.set(database="not_there"), "The database that the URL names does not exist"),
            (url.set(password="hunter2"), "refuses the user or the password"),
            (url.set(username="nobody_here", password="hunter2"), "refuses the user or the password"),
        ):
            answers = await answers_of(wrong.render_as_string(hide_password=False))
            assert_unavailable(answers, told)
            assert "hunter2" not in str([answer.text for answer in answers.values()])
        answers = await answers_of(url.set(username="stranger", password="right").render_as_string(hide_password=False))
        assert_unavailable(answers, "lacks a privilege")
        await execute(private_postgres.url, "DROP ROLE stranger")


def test_a_file_that_may_not_be_read_is_told_with_its_reason() -> None:
    with tempfile.TemporaryDirectory(prefix="roster-file-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "roster.db"
        file.touch(mode=0o000)
        account = unprivileged()
        if account:
            os.seteuid(account["user"])
        try:
            with pytest.raises(FileUnusable) as refused:
                SqliteFile.of(str(file)).identify()
            with pytest.raises(FileUnusable, match="cannot be created: Permission denied"):
                SqliteFile.of(str(folder / "other.db")).create()
        finally:
            if account:
                os.seteuid(0)
    assert refused.value.detail == "The database file roster.db may not be read by the account that runs this."


async def _tables(url: str) -> int:
    engine = create_engine(url, Purpose.READ)
    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT count(*) FROM sqlite_schema"))
    await engine.dispose()
    return int(found or 0)
