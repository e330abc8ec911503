"""What lint reads of a revision in Alembic's plain style that works on a connection, and of the models of a commit."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ENUM

from service.migrate.proof.lint import models
from service.migrate.proof.lint.recording import recorded

METADATA = sa.MetaData()
BOOKS = sa.Table("books", METADATA, sa.Column("id", sa.Integer()), sa.Column("title", sa.Text()))
MOOD = ENUM("sad", "glad", name="mood")


def rows() -> None:
    op.bulk_insert(BOOKS, [{"id": 1, "title": "Emma"}])
    op.bulk_insert(BOOKS, [])


def types() -> None:
    MOOD.create(op.get_bind())
    MOOD.drop(op.get_bind())


def tables() -> None:
    METADATA.create_all(op.get_bind(), checkfirst=False)
    BOOKS.drop(op.get_bind(), checkfirst=False)


def statements() -> None:
    bind = op.get_bind().execution_options(autocommit=True)
    assert bind.in_transaction()
    bind.execute(sa.text("UPDATE books SET title = :title").bindparams(title="it's"))
    bind.exec_driver_sql("DELETE FROM books")
    bind.execute(BOOKS.insert().values(id=1))


def alone() -> None:
    with op.get_context().autocommit_block():
        op.execute("VACUUM books")
    op.execute("SELECT 1")


def batch() -> None:
    with op.batch_alter_table("books", "other") as batch:
        batch.add_column(sa.Column("note", sa.Text()))


def questions() -> None:
    for _ in op.get_bind().execute(sa.select(BOOKS.c.id)):
        op.drop_table("books")
    assert op.get_bind().scalar(sa.text("SELECT 1")) is None
    assert op.get_bind().scalars(sa.text("SELECT 1")).all() == []


def inspection() -> None:
    sa.inspect(op.get_bind())


def cursor() -> None:
    op.get_bind().connection.cursor()


def wrong() -> None:
    raise ValueError("no name")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (rows, ["INSERT INTO books (id, title) VALUES (…)", "INSERT INTO books () VALUES (…)"]),
        (types, ["CREATE TYPE mood AS ENUM ('sad', 'glad')", "DROP TYPE mood"]),
        (tables, ["CREATE TABLE books ( id INTEGER, title TEXT )", "DROP TABLE books"]),
        (statements, ["UPDATE books SET title = 'it''s'", "DELETE FROM books", "INSERT INTO books (id) VALUES (1)"]),
        (alone, ["VACUUM books", "SELECT 1"]),
        (batch, ["ALTER TABLE other.books ADD COLUMN note TEXT"]),
    ],
)
def test_the_statements_of_a_function_are_recorded(function: Callable[[], None], expected: list[str]) -> None:
    calls, stop = recorded(function, __file__, "upgrade", "postgresql", METADATA)
    assert [" ".join(each.text.split()) for each in calls] == expected
    assert all(each.line > function.__code__.co_firstlineno for each in calls)
    assert stop is None
    # A block of autocommit ends one transaction, and begins another one behind.
    assert [(each.alone, each.transaction) for each in calls] == (
        [(True, 1), (False, 2)] if function is alone else [(False, 0)] * len(calls)
    )


@pytest.mark.parametrize(
    ("function", "needs_rows", "reason"),
    [
        (questions, True, ""),
        (inspection, True, "NoDatabase: "),
        (cursor, True, "NoDatabase: connection"),
        (wrong, False, "ValueError: no name"),
    ],
)
def test_a_function_that_needs_a_database_is_read_to_there(
    function: Callable[[], None], reason: str, *, needs_rows: bool
) -> None:
    calls, stop = recorded(function, __file__, "upgrade", "postgresql", METADATA)
    assert stop is not None
    assert (stop.line, stop.needs_rows) == (function.__code__.co_firstlineno + 1, needs_rows)
    assert stop.reason.startswith(reason)
    assert [each.text.startswith("SELECT") for each in calls] == [True] * (3 if function is questions else 0)


MODELS = """
class Base:
    pass

class Kept:
    kept: Mapped[bool] = mapped_column()

class Book(Kept, Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("title", String(9))
    old = Column(Integer)
    other = mapped_column("Other")
    shelf: Mapped["Shelf"] = relationship()
    limit: ClassVar[int] = 3
    note: str
    LIMIT = 5
    a, b = 1, 2

    def method(self) -> None: ...

pairs = Table("pairs", metadata, Column("x", Integer), Column(name="odd"), UniqueConstraint("x"))
"""


def test_the_models_of_a_commit_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "broken.py").write_text("__tablename__ = (")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "models.py").write_text("")
    mapped = models.at_commit(tmp_path, "HEAD")
    # The column of a mixin may be in any table.
    assert mapped.tables == {
        "books": {"id", "title", "old", "Other", "kept"},
        "pairs": {"x", "kept"},
    }
    assert mapped.has("books", "title")
    assert not mapped.has("books", "name")
    assert models.of_metadata(METADATA).tables == {"books": {"id", "title"}}
