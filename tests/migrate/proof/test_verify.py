import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.errors import Unknown
from service.migrate.plan import config
from service.migrate.proof.drift.models import named
from service.migrate.proof.verify.heads import described
from tests.migrate.project import Project, copied
from tests.postgres import psql

BASE = """
ops.create_table("shelves", sa.Column("id", sa.Integer(), nullable=False), sa.Column("label", sa.String(20)),
                 sa.PrimaryKeyConstraint("id", name="pk_shelves"))
ops.create_table(
    "books", sa.Column("id", sa.Integer(), nullable=False), sa.Column("title", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(9), server_default="novel", nullable=False), sa.Column("shelf_id", sa.Integer()),
    sa.Column("price", sa.Numeric(8, 2)), sa.PrimaryKeyConstraint("id", name="pk_books"),
    sa.CheckConstraint("kind IN ('novel', 'poem')", name="ck_books_kind"),
    sa.ForeignKeyConstraint(["shelf_id"], ["shelves.id"], name="fk_books_shelf_id_shelves"))
"""
# Revisions that lose something, in Alembic's plain style: upgrade, downgrade, and all that is found.
BAD: dict[str, tuple[str, ...]] = {
    "lost_rows_cut_values": (
        """
op.execute("DELETE FROM books WHERE id % 2 = 0")
op.execute("UPDATE books SET title = substr(title, 1, 3), price = round(price)")
op.execute("UPDATE shelves SET label = lower(label)")
op.add_column("books", sa.Column("isbn", sa.Text()))
""",
        "pass",
        "books: {} rows are gone, such as ",
        "books.title differs in ",
        "books.price differs in ",
        "shelves.label differs in ",
        "the catalog has in addition: ",
    ),
    "merged_rows_and_rare_values": (
        """
op.execute("DELETE FROM books WHERE id NOT IN (SELECT min(id) FROM books GROUP BY title)")
op.execute("UPDATE books SET title = substr(title, 1, 49)")
op.execute("UPDATE shelves SET label = '' WHERE label IS NULL")
""",
        "pass",
        "books: {} rows are gone, such as ",
        "books.title differs in ",
        "shelves.label differs in ",
    ),
    # The rows of a previous version name a column that has a default, too.
    "dropped_and_renamed_columns": (
        """
op.drop_column("shelves", "label")
op.execute("ALTER TABLE books RENAME COLUMN kind TO sort")
""",
        """
op.execute("ALTER TABLE books RENAME COLUMN sort TO kind")
op.add_column("shelves", sa.Column("label", sa.String(20)))
""",
        "shelves.label differs",
        "INSERT INTO shelves fails after the upgrade: ",
        "INSERT INTO books fails after the upgrade: ",
    ),
    "forgotten_index": (
        # The index refuses the odd titles, and takes the plain ones.
        (
            'op.execute("CREATE UNIQUE INDEX uq_books_title ON books '
            "((CASE WHEN substr(title, 1, 6) = 'Plain-' THEN title ELSE 'odd' END))\")"
        ),
        "pass",
        "the catalog has in addition: index",
    ),
    "required_without_default": (
        (
            "op.execute('UPDATE books SET price = NULL WHERE id = (SELECT min(id) FROM books)')\n"
            "op.add_column('books', sa.Column('isbn', sa.Text(), nullable=False))"
        ),
        "op.drop_column('books', 'isbn')",
        "",
    ),
    "broken_downgrade": (
        "op.create_table('extra', sa.Column('id', sa.Integer(), primary_key=True))",
        "op.drop_table('extras')",
        "extras",
    ),
}
BAD_ON_POSTGRESQL = {
    "forgotten_trigger": (
        (
            "op.execute('CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.title = NEW.name; RETURN NEW; END $$')\n"
            "op.execute('CREATE TRIGGER t BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION f()')"
        ),
        "pass",
        "the catalog has in addition: trigger CREATE TRIGGER t",
        'INSERT INTO books fails after the upgrade: record "new" has no field "name"',
    ),
    "lost_settings": (
        """
op.execute("GRANT SELECT ON books TO PUBLIC")
op.execute("COMMENT ON COLUMN books.kind IS $$What$$")
op.execute("ALTER SEQUENCE books_id_seq RESTART WITH 1")
op.execute("CREATE POLICY p ON books USING (true)")
op.execute("ALTER TABLE shelves OWNER TO pg_monitor")
op.execute("CREATE TYPE mood AS ENUM ('sad')")
""",
        "pass",
        "privileges of books to PUBLIC: SELECT",
        "comment on books.kind: What",
        "books_id_seq of books.id: the next value is 1, and the column already has ",
        "policy p on books",
        "the catalog has in addition: owner of table shelves: pg_monitor",
        "type mood sad",
    ),
}


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["db", "verify", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


def server(postgres_admin_url: str, backend: str) -> list[str]:
    return ["--on", backend, *(["--server", postgres_admin_url] if backend == "postgresql" else [])]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("verify")) as project:
        yield project


def written(project: Project, bad: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """A revision for each bad change, all upon the same base; the findings by revision."""
    project.clear()
    project.add_safe("0001_base", after=None, up=BASE)
    expected = {}
    for number, (name, (up, down, *found)) in enumerate(bad.items(), start=2):
        id = f"{number:04}_{name}"
        project.add(id, after="0001_base", up=up, down=down)
        expected[id] = found
    return expected


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_a_revision_loses_is_found(own: Project, request: pytest.FixtureRequest, backend: str) -> None:
    bad = BAD | (BAD_ON_POSTGRESQL if backend == "postgresql" else {})
    expected = written(own, bad)
    url = request.getfixturevalue("postgres_admin_url") if backend == "postgresql" else ""
    document: Any = json.loads(run("--json", *server(url, backend), status=1).stdout)
    found = {each["revision"]: [one["what"] for one in each["findings"]] for each in document["verified"]}
    assert found.pop("0001_base") == []
    (note,) = [each for each in document["notes"] if "_forgotten_index on " in each]
    assert ": rows refused: " in note
    assert note.endswith("; plain rows were used")
    for id, whats in expected.items():
        for what in whats:
            pattern = re.escape(what).replace(r"\{\}", r"\d+")
            assert any(re.search(pattern, each) for each in found[id]), (id, what, found[id])


@pytest.mark.slow
def test_a_revision_that_loses_nothing_has_no_finding(own: Project) -> None:
    own.clear()
    own.add_safe("0001_base", after=None, up=BASE)
    up = """
ops.rename_column("books", sa.Column("title", sa.String(50), nullable=False),
                  sa.Column("headline", sa.String(50), nullable=False))
ops.change_type("books", sa.Column("price", sa.Numeric(8, 2)), sa.Column("price", sa.Numeric(10, 2)))
ops.set_not_null("shelves", "label", fill="'unknown'")
"""
    own.add_safe("0002_change", after="0001_base", up=up)
    file = own.versions / "0002_change.py"
    own_checks = """

def seed_before(connection):
    connection.execute(sa.text("INSERT INTO books (id, title) VALUES (-7, 'Emma')"))


def assert_after(connection):
    assert connection.execute(sa.text("SELECT headline FROM books WHERE id = -7")).scalar() == "Emma", "no Emma"
"""
    file.write_text(file.read_text() + own_checks)
    document = json.loads(run("--json", "--on", "sqlite", "--since", "0001", status=1).stdout)
    assert [(each["revision"], each["findings"]) for each in document["verified"]] == [("0002_change", [])]
    # A fill is a change that the revision declares.
    assert document["notes"] == [
        "0002_change: NULL in shelves.label is replaced, and a downgrade does not bring it back"
    ]
    # The models are those of Roster, and not of this history.
    assert {each["phase"] for each in document["findings"]} == {"models"}
    whats = [each["what"] for each in document["findings"]]
    assert "table books is only in the revisions: 5 columns" in whats
    assert not [each for each in whats if "0x" in each or "[(" in each]
    file.write_text(file.read_text().replace('== "Emma"', '== "Dune"'))
    config.forget()
    result = run("--on", "sqlite", "--since", "0001", "--rows", "3", status=1)
    assert f"  0002_change on sqlite, assert_after: {file}:" in result.stdout
    assert ": AssertionError: no Emma. Correct the file and run the command again.\n" in result.stdout


def test_a_difference_to_the_models_is_one_clear_line() -> None:
    default = sa.DefaultClause(sa.text("'novel'"))
    column = sa.Column("note", sa.String(9), nullable=False)
    found = named(
        [
            [("modify_default", None, "books", "kind", {}, None, default)],
            ("add_column", None, "books", column),
            ("remove_column", None, "books", column),
        ]
    )
    assert [described(each) for each in found] == [
        "column books.kind differs: default 'novel' in the models, no default in the revisions",
        "column books.note is only in the models: VARCHAR(9) NOT NULL",
        "column books.note is only in the revisions: VARCHAR(9) NOT NULL",
    ]


def test_revisions_that_are_new_since_a_commit(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.migrate.plan.config import scripts
    from service.migrate.proof.revisions import chosen

    own.clear()
    own.add_safe("0001_base", after=None)
    own.add_safe("0002_old", after="0001_base")
    git = ["git", "-C", str(own.folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "old"]):
        subprocess.run([*git, *command], check=True)
    own.add_safe("0003_new", after="0002_old")
    assert chosen(scripts(), "HEAD") == ["0003_new"]
    assert chosen(scripts(), "0001") == ["0002_old", "0003_new"]
    file = own.versions / "0002_old.py"
    file.write_text(file.read_text() + "\n# edited\n")
    assert chosen(scripts(), "HEAD") == ["0002_old", "0003_new"]
    (own.folder / ".git/shallow").write_text(subprocess.check_output([*git, "rev-parse", "HEAD"], text=True))
    with pytest.raises(Unknown, match=r"origin/main.*This clone is shallow: fetch the whole history"):
        chosen(scripts(), "origin/main")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "nowhere"], "There is no revision nowhere, and no commit of Git: "),
        (["--server", "postgresql://nobody@127.0.0.1:1/x"], "cannot be used: "),
        (["--server", "rubbish"], "rubbish is no URL: --server takes one such as postgresql://user@host/database."),
        (["--on", "postgresql", "--server", "sqlite:///x.db"], "--server takes a postgresql:// URL."),
    ],
)
def test_a_mistake_is_one_line(own: Project, tmp_path: Path, arguments: list[str], expected: str) -> None:
    own.clear()
    own.add_safe("0001_base", after=None)
    result = run(*arguments, status=2)
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("Error")]
    assert expected in line
    assert not result.stdout, "it is told before the work on SQLite"


def test_a_folder_that_cannot_be_written_is_one_line(
    own: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.clear()
    own.add_safe("0001_base", after=None)
    file = tmp_path / "no folder"
    file.touch()
    monkeypatch.setattr("tempfile.tempdir", str(file))
    error = run("--on", "sqlite", status=2).stderr
    assert re.fullmatch(rf"Error: {re.escape(str(file))}/proof-\w+ cannot be written: Not a directory\.\n", error)


def test_a_verification_that_is_terminated_leaves_nothing_behind(
    own: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_admin_url") if backend == "postgresql" else ""
    own.clear()
    own.add("0001_base", after=None, up="import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("service.migrate.proof.scratch._PREFIX", "terminated_")
    assert run(*server(url, backend), status=1).stderr.strip() == "Aborted!"
    assert list(tmp_path.iterdir()) == []
    if backend == "postgresql":
        left = psql(url, "SELECT datname FROM pg_database WHERE datname ~ '^terminated_'", "--tuples-only")
        assert (left.returncode, left.stdout.strip()) == (0, "")
