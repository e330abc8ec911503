import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.entrypoints import commands, project
from service.migrate.entrypoints.project import url_of
from service.migrate.proof.drift.drift import Detector, Drift
from service.migrate.run.locking import lock
from tests.migrate.project import Project, copied
from tests.postgres import fresh_database

BASE = r"""
ops.create_table(
    "books", sa.Column("id", sa.Integer(), nullable=False), sa.Column("title", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(9), server_default="novel", nullable=False), sa.Column("price", sa.Numeric(8, 2)),
    sa.Column("pages", sa.Integer()), sa.PrimaryKeyConstraint("id", name="pk_books"),
    sa.CheckConstraint("kind IN ('novel', 'poem')", name="ck_books_kind"))
ops.create_index("ix_books_lower_title", "books", [sa.text("lower(title)")])
ops.create_table("copies", sa.Column("id", sa.Integer(), nullable=False), sa.Column("book_id", sa.Integer()),
                 sa.Column("made", sa.Integer()), sa.PrimaryKeyConstraint("id", name="pk_copies"),
                 sa.ForeignKeyConstraint(["book_id"], ["books.id"], name="fk_copies_book_id_books"))
ops.create_index("ix_copies_made", "copies", ["made"])
ops.execute(
    "Count copies.",
    postgresql=("CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n  RETURN NEW;\nEND $$",
                "CREATE TRIGGER count_copies AFTER INSERT ON copies FOR EACH ROW EXECUTE FUNCTION counted()"),
    sqlite=("CREATE VIEW counted AS SELECT count(*) AS n FROM books",
            "CREATE TRIGGER count_copies AFTER INSERT ON copies BEGIN UPDATE books SET kind = 'poem'; END"),
    undo_postgresql=("DROP TRIGGER count_copies ON copies", "DROP FUNCTION counted()"),
    undo_sqlite=("DROP TRIGGER count_copies", "DROP VIEW counted"), tables=("copies",))
"""
CHANGE = """
ops.rename_column("books", sa.Column("price", sa.Numeric(8, 2)), sa.Column("cost", sa.Numeric(8, 2)))
ops.change_type("books", sa.Column("pages", sa.Integer()), sa.Column("pages", sa.Text()), back="CAST({} AS integer)")
"""
ONE, OTHER, BOTH = "only in the database", "only in the revisions", "different"
# What someone does by hand, and the difference that it is.
ON_SQLITE = {
    "DROP TRIGGER count_copies": ("trigger count_copies of copies", OTHER),
    "DROP INDEX ix_copies_made": ("index ix_copies_made of copies", OTHER),
    "CREATE INDEX by_hand ON copies (book_id) WHERE made > 0": ("index by_hand of copies", ONE),
    "DROP INDEX ix_books_lower_title; CREATE INDEX ix_books_lower_title ON books (upper(title))": (
        "index ix_books_lower_title of books",
        BOTH,
    ),
    "DROP VIEW counted; CREATE VIEW counted AS SELECT 1 AS n": ("view counted", BOTH),
    "CREATE TABLE extra (id integer PRIMARY KEY, note text)": ("table extra", ONE),
    "ALTER TABLE copies ADD COLUMN colour text": ("column copies.colour", ONE),
}
ON_POSTGRESQL = {
    "DROP TRIGGER count_copies ON copies; CREATE TRIGGER count_copies BEFORE INSERT ON copies FOR EACH ROW EXECUTE "
    "FUNCTION counted()": ("trigger count_copies of copies", BOTH),
    "CREATE OR REPLACE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n RETURN NULL;\n END $$": (
        "function counted()",
        BOTH,
    ),
    "ALTER TABLE books DROP CONSTRAINT ck_books_kind": ("constraint ck_books_kind of books", OTHER),
    "GRANT SELECT ON books TO PUBLIC": ("privileges books to PUBLIC", ONE),
    "REVOKE DELETE ON copies FROM CURRENT_USER": ("privileges copies to the owner", BOTH),
    "GRANT UPDATE (made) ON copies TO PUBLIC": ("privileges copies.made to PUBLIC", ONE),
    "ALTER TABLE books ALTER kind SET DEFAULT 'poem'": ("column books.kind", BOTH),
    "ALTER TABLE copies ALTER made TYPE bigint": ("column copies.made", BOTH),
    "COMMENT ON COLUMN books.kind IS 'What'": ("comment books.kind", ONE),
    "COMMENT ON TRIGGER count_copies ON copies IS 'Why'": ("comment copies.trigger count_copies", ONE),
    "DROP INDEX ix_books_lower_title; CREATE INDEX ix_books_lower_title ON books (upper(title))": (
        "index ix_books_lower_title of books",
        BOTH,
    ),
    "CREATE POLICY readers ON books USING (true)": ("policy readers of books", ONE),
    "CREATE SEQUENCE numbers": ("sequence numbers", ONE),
    "ALTER SEQUENCE copies_id_seq INCREMENT 10": ("settings copies_id_seq", BOTH),
    "CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM books": ("materialized view totals", ONE),
    "CREATE TYPE mood AS ENUM ('sad')": ("type mood", ONE),
    "ALTER TABLE books SET (fillfactor = 70)": ("table books", BOTH),
    "CREATE TABLE extra (id serial PRIMARY KEY, note text NOT NULL)": ("table extra", ONE),
    # Of no interest: another schema, and a publication.
    "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.things (id integer)": (),
    "CREATE PUBLICATION readers FOR TABLE books": (),
}
MODELS = sa.MetaData()
sa.Table(
    "books",
    MODELS,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("title", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(9), server_default="novel", nullable=False),
    sa.Column("price", sa.Numeric(8, 2)),
    sa.Column("pages", sa.Integer()),
    sa.Index("ix_books_lower_title", sa.text("lower(title)")),
    sa.CheckConstraint("kind IN ('novel', 'poem')", name="ck_books_kind"),
)
sa.Table(
    "copies",
    MODELS,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("book_id", sa.ForeignKey("books.id", name="fk_copies_book_id_books")),
    sa.Column("made", sa.Integer(), index=True),
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("drift")) as project:
        yield project


@pytest.fixture
def history(own: Project) -> Project:
    """The first revision of a history of its own."""
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    return own


@pytest.fixture
async def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/drift.db"
        return
    async with fresh_database(request.getfixturevalue("postgres_admin_url"), "drift") as url:
        yield url


@pytest.fixture
def server(backend: str, request: pytest.FixtureRequest) -> str | None:
    admin: str | None = request.getfixturevalue("postgres_admin_url") if backend == "postgresql" else None
    return admin


def found(
    url: str, server: str | None, *, others: bool = False, ignore: tuple[str, ...] = (), metadata: sa.MetaData = MODELS
) -> Drift:
    models = replace(project.read(), metadata=metadata)
    return Detector(project=models, config=None, server=server, others=others).run(url_of(url), ignore)


def objects(drift: Drift, against: str = "revisions") -> dict[str, str]:
    return {each.object: each.where for each in drift.differences if each.against == against}


def by_hand(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            for each in statements:
                file.executescript(each)
        return
    asyncio.run(_by_hand(url, statements))


async def _by_hand(url: str, statements: Iterable[str]) -> None:
    connection = await asyncpg.connect(url)
    for each in statements:
        await connection.execute(each)
    await connection.close()


@pytest.mark.usefixtures("history")
def test_what_is_changed_by_hand_is_named(backend: str, url: str, server: str | None) -> None:
    commands.upgrade(url)
    changes: dict[str, Any] = ON_SQLITE if backend == "sqlite" else ON_POSTGRESQL
    by_hand(url, *changes)
    drift = found(url, server)
    assert objects(drift) == dict(each for each in changes.values() if each)
    both = [each for each in drift.differences if each.against == "revisions" and each.where == BOTH]
    assert all(each.database and each.expected and each.database != each.expected for each in both)


@pytest.mark.usefixtures("history")
def test_the_models_are_compared_too(backend: str, url: str, server: str | None) -> None:
    commands.upgrade(url)
    assert found(url, server).differences == ()
    stricter = sa.MetaData()
    for table in MODELS.tables.values():
        table.to_metadata(stricter)
    books = stricter.tables["books"]
    books.constraints -= {each for each in books.constraints if each.name == "ck_books_kind"}
    books.append_constraint(sa.CheckConstraint("kind = 'novel'", name="ck_books_kind"))
    books.append_constraint(sa.CheckConstraint("pages > 0", name="ck_books_pages"))
    differences = {
        each.object: (each.where, each.expected) for each in found(url, server, metadata=stricter).differences
    }
    assert differences.pop("constraint ck_books_pages of books") == ("only in the models", "CHECK (pages > 0)")
    # PostgreSQL's own way to write a definition is known where something may be written.
    other = {"constraint ck_books_kind of books": (BOTH, "CHECK (kind = 'novel')")}
    assert differences == (other if backend == "sqlite" else {})
    by_hand(url, "DROP INDEX ix_copies_made", "ALTER TABLE copies ADD COLUMN colour text")
    drift = found(url, server, ignore=("index *", "nothing"))
    assert objects(drift, "models") == {"column copies.colour": ONE}
    assert (objects(drift), drift.ignored) == ({"column copies.colour": ONE}, 2)


@pytest.mark.slow
def test_no_phase_is_a_difference(history: Project, backend: str, url: str, server: str | None) -> None:
    commands.upgrade(url)
    history.add_safe("0002_change", after="0001_base", up=CHANGE)
    phases: list[Callable[[], object]] = [
        lambda: commands.upgrade(url),
        lambda: commands.backfill(url),
        lambda: commands.contract(url),
    ]
    if backend == "sqlite":
        # A downgrade leaves the trash alone, which both databases have.
        phases.append(lambda: commands.downgrade(url, "base"))
    for run in phases:
        run()
        assert objects(found(url, server)) == {}


@pytest.fixture
def file(history: Project, tmp_path: Path) -> str:
    """The URL of a SQLite file at the newest revision, with an index by hand."""
    url = f"sqlite:///{tmp_path}/drift.db"
    commands.upgrade(url)
    by_hand(url, "CREATE INDEX by_hand ON copies (book_id)")
    return url


def test_the_command_names_the_differences(file: str) -> None:
    models = ["--ignore", "table *", "--ignore", "column *"]
    text = drifted("--database", file, *models, status=1).stdout
    first, *lines = text.splitlines()
    assert first.startswith(f"{file} at 0001_base: ")
    assert lines[:4] == [
        "",
        "Only in the database, compared with the revisions:",
        "  index by_hand of copies",
        "    CREATE INDEX by_hand ON copies (book_id)",
    ]
    document = json.loads(drifted("--database", file, "--json", *models, status=1).stdout)
    assert document["current"] == ["0001_base"]
    assert document["differences"][0] == {
        "where": ONE,
        "against": "revisions",
        "kind": "index",
        "name": "by_hand of copies",
        "database": "CREATE INDEX by_hand ON copies (book_id)",
        "expected": None,
    }
    assert drifted("--database", file, "--ignore", "*", status=0).stdout.startswith(f"{file} at 0001_base: 0 diff")


def test_what_cannot_be_compared_is_no_finding(file: str, history: Project, tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path}/none.db"
    assert drifted("--database", missing, status=2).stderr == f"Error: The file {tmp_path}/none.db does not exist.\n"
    lock_file = lock.lock_file(url_of(file))
    assert lock_file is not None
    descriptor = lock.lock(lock_file)
    assert "A migrator is running: " in drifted("--database", file, status=2).stderr
    assert descriptor is not None
    os.close(descriptor)
    history.clear()
    assert "which this version does not have" in drifted("--database", file, status=2).stderr


def drifted(*arguments: str, status: int) -> Result:
    result = CliRunner().invoke(main, ["db", "drift", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result
