"""Rows of the previous version, with NULL and without the columns that have a default, after a change of the schema."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from service.migrate.proof.scratch import in_database
from service.migrate.proof.verify import probe
from service.migrate.proof.verify.rows import Rows

ROWS = Rows(seed=0, count=3)
COLUMNS = "title TEXT NOT NULL, author TEXT, note TEXT, price INTEGER, kind TEXT NOT NULL"
BODY = "BEGIN IF NEW.note IS NULL THEN RAISE 'no note'; END IF; RETURN NEW; END"
REFUSES = {
    "sqlite": [
        "CREATE TRIGGER t BEFORE INSERT ON books WHEN NEW.note IS NULL BEGIN SELECT RAISE(ABORT, 'no note'); END"
    ],
    "postgresql": [
        f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $${BODY}$$",
        "CREATE TRIGGER t BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION f()",
    ],
}
IDS = {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "serial PRIMARY KEY"}
KEY = "BIGINT NOT NULL PRIMARY KEY"


def created(backend: str, *, kind: str = " DEFAULT 'novel'", more: str = "", key: str = "") -> str:
    return f"CREATE TABLE books (id {key or IDS[backend]}, {COLUMNS}{kind}{more})"


def run(connection: Connection, statements: Iterable[str]) -> None:
    for each in statements:
        connection.exec_driver_sql(each)


@dataclass(kw_only=True)
class Books:
    """A table of a database, and the rows that it takes."""

    url: str
    statements: tuple[str, ...]

    def __post_init__(self) -> None:
        in_database(self.url, partial(run, statements=("DROP TABLE IF EXISTS books", *self.statements)), writes=True)
        self.probes = in_database(self.url, partial(probe.made, rows=ROWS))

    def found(self, *statements: str, is_new: bool = False) -> list[str]:
        """What the findings say before the reason, after statements that are rolled back."""

        def find(connection: Connection) -> list[str]:
            run(connection, statements)
            return probe.failures(connection, self.probes, ROWS, "upgrade", is_new=is_new)

        return [each.partition(" fails after the upgrade: ")[0] for each in in_database(self.url, find)]


def test_rows_with_null_and_without_defaults_are_tried(empty_url: str, backend: str) -> None:
    drop, again, refuses = "DROP TABLE books", partial(created, backend), REFUSES[backend]
    books = Books(url=empty_url, statements=(again(),))
    assert [str(each.shape) for each in books.probes.rows] == [
        "",
        " with NULL in author, note, price",
        " without id, kind, author, note, price",
    ]
    assert books.found() == []
    assert books.found(*refuses) == ["INSERT INTO books with NULL in note"]
    checked = again(more=", CHECK (note IS NOT NULL)")
    assert books.found(drop, checked) == ["INSERT INTO books with NULL in note"]
    assert books.found(drop, checked, is_new=True) == []
    assert books.found(drop, again(more=", CHECK (price >= 0)")) == []
    assert books.found(drop, again(kind="")) == ["INSERT INTO books without kind"]
    assert books.found(drop, again(key=KEY)) == ["INSERT INTO books without id"]


def test_rows_that_were_refused_before_are_no_findings(tmp_path: Path) -> None:
    backend, url = "sqlite", f"sqlite:///{tmp_path}/refused.db"
    either = created(backend, more=", CHECK (author IS NOT NULL OR note IS NOT NULL)")
    books = Books(url=url, statements=(either,))
    assert books.found() == []
    # NULL in one column is still tried.
    assert books.found(*REFUSES[backend]) == ["INSERT INTO books with NULL in note"]
    books = Books(url=url, statements=(created(backend), *REFUSES[backend]))
    assert books.found("ALTER TABLE books ADD COLUMN isbn TEXT") == []
    assert books.found("ALTER TABLE books RENAME COLUMN kind TO sort") == ["INSERT INTO books"]
    books = Books(url=url, statements=(created(backend), "CREATE VIEW broken AS SELECT absent FROM nowhere"))
    assert (books.found(), dict(books.probes.reads)) == ([], {})
