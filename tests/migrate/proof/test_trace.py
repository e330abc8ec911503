"""Revisions that hold a lock while they work on rows are found by executing them, with the line that does it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.migrate.plan.config import scripts
from service.migrate.proof.finding import Finding
from service.migrate.proof.revisions import chosen
from service.migrate.proof.trace.trace import trace
from tests.migrate.project import Project, copied
from tests.migrate.proof.test_verify import BASE

# In Alembic's plain style: upgrade, downgrade, and for each finding its rule, its phase and the end of its line.
BAD: dict[str, tuple[str, str, list[tuple[str, str, str]]]] = {
    "0002_index_and_function": (
        (
            "op.create_index('ix_books_title', 'books', ['title'])\n"
            "op.execute('CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$ UPDATE books SET price = 1 $$')\n"
            "op.get_bind().execute(sa.text('SELECT fill()'))"
        ),
        "op.execute('DROP FUNCTION fill()')\nop.drop_index('ix_books_title')",
        [
            ("trace-blocks-writes", "upgrade", "op.create_index('ix_books_title', 'books', ['title'])"),
            ("trace-blocks-writes", "upgrade", "op.get_bind().execute(sa.text('SELECT fill()'))"),
        ],
    ),
    "0003_not_null": (
        (
            "op.execute(\"UPDATE shelves SET label = coalesce(label, '')\")\n"
            "op.alter_column('shelves', 'label', nullable=False)"
        ),
        "op.alter_column('shelves', 'label', nullable=True)",
        [
            ("trace-blocks-writes", "upgrade", "coalesce(label, '')\")"),
            ("trace-blocks-reads", "upgrade", "op.alter_column('shelves', 'label', nullable=False)"),
        ],
    ),
    "0005_inline_check": (
        "op.execute('ALTER TABLE books ADD COLUMN pages integer CHECK (pages > 0)')",
        "op.drop_column('books', 'pages')",
        [("trace-blocks-reads", "upgrade", "CHECK (pages > 0)')")],
    ),
    "0006_key_and_loop": (
        (
            "op.create_foreign_key('fk_again', 'books', 'shelves', ['shelf_id'], ['id'])\n"
            "for (id,) in op.get_bind().execute(sa.text('SELECT id FROM books')).all():\n"
            "    op.execute(f'UPDATE books SET price = {id} WHERE id = {id}')"
        ),
        ("op.get_bind().execute(sa.text('SELECT id FROM books FOR UPDATE'))\nop.drop_constraint('fk_again', 'books')"),
        [
            ("trace-blocks-writes", "upgrade", "['shelf_id'], ['id'])"),
            ("trace-blocks-writes", "upgrade", "sa.text('SELECT id FROM books')).all():"),
            ("trace-blocks-writes", "upgrade", "WHERE id = {id}')"),
            ("trace-blocks-writes", "downgrade", "FOR UPDATE'))"),
        ],
    ),
    "0007_drop": (
        "op.alter_column('books', 'price', type_=sa.Numeric(12, 4))\nop.drop_column('shelves', 'label')",
        "op.add_column('shelves', sa.Column('label', sa.Uuid(), server_default=sa.text('gen_random_uuid()')))",
        [
            ("trace-blocks-reads", "upgrade", "type_=sa.Numeric(12, 4))"),
            ("trace-drops", "upgrade", "op.drop_column('shelves', 'label')"),
            ("trace-blocks-reads", "downgrade", "gen_random_uuid()')))"),
        ],
    ),
    "0010_cascade": (
        "op.execute('DROP TABLE shelves CASCADE')",
        "op.create_table('shelves', sa.Column('id', sa.Integer(), primary_key=True))",
        [("trace-drops", "upgrade", "op.execute('DROP TABLE shelves CASCADE')")],
    ),
}
SAFE = """
ops.create_index("ix_books_kind", "books", ["kind"])
ops.add_column("books", sa.Column("isbn", sa.String(20), server_default="?", nullable=False))
ops.execute("no one writes here", lock=ops.Lock.NONE, tables=["books"],
            postgresql=["UPDATE books SET title = title || '!'"])
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("trace")) as project:
        project.clear()
        yield project


@pytest.mark.slow
def test_statements_that_block_for_as_long_as_there_are_rows(own: Project, postgres_admin_url: str) -> None:
    own.add_safe("0001_base", after=None, up=BASE)
    own.add_safe("safe", after="0001_base", up=SAFE)
    after = "safe"
    for id, (up, down, _) in BAD.items():
        own.add(f"bad_{id}", after=after, up=up, down=down)
        after = f"bad_{id}"
    own.add("refused", after=after)
    file = own.versions / "refused.py"
    file.write_text(
        file.read_text() + "\n\ndef seed_before(connection):\n    connection.execute(sa.text('SELECT 1 / 0'))\n"
    )
    found: dict[str, list[Finding]] = {}
    for finding in trace(chosen(scripts(), "0001_base"), postgres_admin_url, rows=12):
        found.setdefault(finding.revision, []).append(finding)
    for id, (_, _, expected) in BAD.items():
        seen = found.pop(f"bad_{id}", [])
        assert [(each.rule, each.phase) for each in seen] == [one[:2] for one in expected], (id, seen)
        assert all(line_of(each).endswith(one[2]) for each, one in zip(seen, expected, strict=True)), (id, seen)
    (raw,) = found.pop("safe")
    assert (raw.rule, line_of(raw).strip()[:23]) == ("trace-blocks-writes", 'postgresql=["UPDATE boo')
    (refused,) = found.pop("refused")
    assert (refused.rule, refused.file) == ("trace-refused", str(file))
    assert f"{file}:26: division by zero. Correct the file" in refused.what
    assert found == {}


def line_of(finding: Finding) -> str:
    return Path(finding.file).read_text().splitlines()[finding.line - 1]
