import shutil
import subprocess
from pathlib import Path

import pytest

from service.migrate.entrypoints import commands
from service.migrate.plan import config
from service.migrate.proof.verify.verify import unsaid
from tests.alembic.store import opened
from tests.migrate.project import Project
from tests.migrate.proof.lint.conftest import Look, run

PLAIN = '''"""Change the books."""

# The library of SQL.
import sqlalchemy as sa
from alembic import op

revision = "0002_it"
down_revision = "0001_base"


def upgrade() -> None:
    """Add what the new version needs."""
    # A code of the shop's own, “ä”.
    op.add_column(
        "books",
        sa.Column("code", sa.String(9)),  # no default
    )
    op.create_index(op.f("ix_books_code"), "books", ["code"], unique=False, postgresql_concurrently=False)
    op.create_check_constraint(op.f("ck_books_price"), "books", "price >= 0")
    op.create_unique_constraint("uq_shelves_label", "shelves", ["label"])
    op.create_foreign_key("fk_books_next", "books", "shelves", ["shelf_id"], ["id"], ondelete="SET NULL")
    op.alter_column("shelves", "label", nullable=False, existing_type=sa.String(20))
    op.alter_column("books", "note", new_column_name="remark", existing_type=sa.Text(), existing_nullable=True)
    op.alter_column("books", "title", type_=sa.String(80), existing_type=sa.String(50), existing_nullable=False)
    op.drop_constraint("fk_books_shelf_id_shelves", "books", type_="foreignkey")
    op.drop_index("ix_books_kind_price", table_name="books")
    for name in ("a", "b"):
        op.add_column("shelves", sa.Column(name, sa.Integer()))
    op.drop_column("shelves", "gone")


def downgrade() -> None:
    op.add_column("shelves", sa.Column("gone", sa.Text(), comment="it went"))
    op.drop_column("shelves", "b")
    op.drop_column("shelves", "a")
    op.create_index("ix_books_kind_price", "books", ["kind", "price"])
    op.create_foreign_key("fk_books_shelf_id_shelves", "books", "shelves", ["shelf_id"], ["id"])
    op.alter_column("books", "title", type_=sa.String(50), existing_type=sa.String(80))
    op.alter_column("books", "remark", new_column_name="note", existing_type=sa.Text())
    op.alter_column("shelves", "label", nullable=True)
    op.drop_constraint("fk_books_next", "books")
    op.drop_constraint("uq_shelves_label", "shelves")
    op.drop_constraint("ck_books_price", "books")
    op.drop_index("ix_books_code")
    op.drop_column("books", "code")
'''
SAFE = '''"""Change the books."""

# The library of SQL.
import sqlalchemy as sa

from service.migrate import ops

revision = "0002_it"
down_revision = "0001_base"


def upgrade() -> None:
    """Add what the new version needs."""
    # A code of the shop's own, “ä”.
    ops.add_column(
        "books",
        sa.Column("code", sa.String(9)),  # no default
    )
    ops.create_index("ix_books_code", "books", ["code"], unique=False)
    ops.add_check("books", "ck_books_price", "price >= 0")
    ops.add_unique("shelves", "uq_shelves_label", ["label"])
    ops.add_foreign_key("books", "fk_books_next", ["shelf_id"], "shelves", ["id"], ondelete="SET NULL")
    ops.rename_column("books", sa.Column("note", sa.Text()), sa.Column("remark", sa.Text()))
    ops.change_type("books", sa.Column("title", sa.String(50), nullable=False), sa.Column("title", sa.String(80), nullable=False))
    for name in ("a", "b"):
        ops.add_column("shelves", sa.Column(name, sa.Integer()))


def contract() -> None:
    ops.set_not_null("shelves", "label")
    ops.drop_constraint("books", sa.ForeignKeyConstraint(["shelf_id"], ["shelves.id"], name="fk_books_shelf_id_shelves"))
    ops.drop_index("ix_books_kind_price", "books", ["kind", "price"])
    ops.drop_column("shelves", sa.Column("gone", sa.Text(), comment="it went"))


def downgrade() -> None:
    ops.undo()
'''  # noqa: E501 - as the author's formatter would have to break them
BASE = """
ops.create_table("shelves", sa.Column("id", sa.Integer(), nullable=False), sa.Column("label", sa.String(20)),
                 sa.Column("gone", sa.Text(), comment="it went"), sa.PrimaryKeyConstraint("id", name="pk_shelves"))
ops.create_table(
    "books", sa.Column("id", sa.Integer(), nullable=False), sa.Column("title", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(9)), sa.Column("shelf_id", sa.Integer()), sa.Column("price", sa.Numeric(8, 2)),
    sa.Column("note", sa.Text()), sa.PrimaryKeyConstraint("id", name="pk_books"),
    sa.ForeignKeyConstraint(["shelf_id"], ["shelves.id"], name="fk_books_shelf_id_shelves"))
ops.create_index("ix_books_kind_price", "books", ["kind", "price"])
ops.create_index("ix_books_shelf_id", "books", ["shelf_id"])
"""
ROWS = """
INSERT INTO shelves (id, label, gone) VALUES (1, 'north', 'old');
INSERT INTO books (id, title, kind, shelf_id, price, note) VALUES (1, 'Emma', 'novel', 1, 5, 'worn')
"""


async def rows(url: str, *statements: str) -> list[list[dict[str, object]]]:
    async with opened(url) as store:
        return [await store.execute(each) for each in statements]


@pytest.mark.slow
async def test_a_fixed_revision_runs_up_and_down_with_every_value(project: Project, tmp_path: Path) -> None:
    project.add_safe("0001_base", after=None, up=BASE)
    file = project.versions / "0002_it.py"
    file.write_text(PLAIN)
    config.forget()
    diff = run("--fix", "--diff", "--since", "0001_base", status=1).stdout
    assert file.read_text() == PLAIN
    assert '\n-    op.alter_column("shelves", "label", nullable=False, existing_type=sa.String(20))\n' in diff
    run("--fix", "--since", "0001_base")
    assert file.read_text() == SAFE
    url = f"sqlite:///{tmp_path / 'library.db'}"
    tables = ("SELECT id, label, gone FROM shelves", "SELECT id, title, kind, shelf_id, price, note FROM books")
    commands.upgrade(url, "0001_base", report=unsaid)
    await rows(url, *ROWS.split(";"))
    before = await rows(url, *tables)
    commands.upgrade(url, "head", report=unsaid)
    commands.backfill(url, report=unsaid)
    commands.contract(url, report=unsaid)
    ((book,),) = await rows(url, "SELECT remark, code, title FROM books")
    assert book == {"remark": "worn", "code": None, "title": "Emma"}
    commands.downgrade(url, "0001_base", report=unsaid)
    assert await rows(url, *tables) == before
    project.remove("0002_it")


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        ("op.execute('UPDATE books SET kind = NULL')", "pass", "18: not fixed: op.execute: say why it is safe"),
        ("op.drop_column('books', 'kind')", "pass", "18: not fixed: op.drop_column: downgrade() has no op.add_column"),
        ("op.drop_index('ix_books_kind_price')", "pass", "18: not fixed: op.drop_index: downgrade() has no op.create"),
        (
            "op.alter_column('books', 'kind', nullable=False, new_column_name='sort')",
            "pass",
            "18: not fixed: op.alter_column: op.alter_column changes nullable and new_column_name at once",
        ),
        (
            "op.alter_column('books', 'kind', type_=sa.Text())",
            "pass",
            "18: not fixed: op.alter_column: existing_type is not",
        ),
        (
            "op.create_foreign_key(None, 'books', 'shelves', ['id'], ['id'])",
            "pass",
            "18: not fixed: op.create_foreign_key: constraint_name is not given",
        ),
        (
            "for name in ['kind']:\n    op.drop_column('books', 'kind')",
            "op.add_column('books', sa.Column('kind', sa.String(9)))",
            "19: not fixed: op.drop_column belongs in contract(), and is inside of a block",
        ),
        (
            "op.create_index('ix', 'books', ['title'])",
            "op.execute('DROP INDEX ix')",
            "22: not fixed: op.execute in downgrade() is not what ops.undo() does",
        ),
        (
            "op.alter_column('books', 'kind', new_column_name='sort', existing_type=sa.String(9))",
            "op.alter_column('books', 'sort', new_column_name='kind')",
            "18: not fixed: ix_books_kind_price",
        ),
        (
            "op.add_column('books', sa.Column('n', sa.Integer(), nullable=False))",
            "op.drop_column('books', 'n')",
            "not fixed: the safe operations are refused: ",
        ),
    ],
)
def test_what_is_not_exact_is_refused_by_name(look: Look, project: Project, up: str, down: str, expected: str) -> None:
    look(up, down)
    file = project.versions / "0002_it.py"
    source = file.read_text()
    assert expected in run("--fix", "--since", "0001_base", status=1).stderr
    assert file.read_text() == source


def test_without_a_base_what_is_committed_stays(look: Look, project: Project) -> None:
    look("op.create_index('ix', 'books', ['title'])", "op.drop_index('ix')")
    git = ["git", "-C", str(project.folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "old"]):
        subprocess.run([*git, *command], check=True)
    project.add("0003_new", after="0002_it", up="op.add_column('books', sa.Column('n', sa.Integer()))")
    file = project.versions / "0003_new.py"
    file.write_text(file.read_text().replace("    pass", "    op.drop_column('books', 'n')"))
    config.forget()
    assert "Fixed alembic/versions/0003_new.py.\n" in run("--fix", status=1).stderr
    assert "    ops.add_column('books', sa.Column('n', sa.Integer()))\n" in file.read_text()
    assert "op.create_index" in (project.versions / "0002_it.py").read_text()
    assert "There is no new revision in Alembic's plain style" in run("--fix", "--diff").stderr
    shutil.rmtree(project.folder / ".git")


def test_a_file_that_is_in_no_commit_is_fixed(look: Look, project: Project) -> None:
    look("op.add_column('books', sa.Column('n', sa.Integer()))", "op.drop_column('books', 'n')")
    assert "+    ops.add_column('books', sa.Column('n', sa.Integer()))\n" in run("--fix", "--diff", status=1).stdout
    assert "    ops.undo()" in (run("--fix").stdout + (project.versions / "0002_it.py").read_text())


def test_the_ends_of_lines_stay(look: Look, project: Project) -> None:
    look("op.add_column('books', sa.Column('n', sa.Integer()))", "op.drop_column('books', 'n')")
    file = project.versions / "0002_it.py"
    file.write_text(file.read_text(), newline="\r\n")
    run("--fix")
    assert b"ops.undo()\r\n" in file.read_bytes()
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")
