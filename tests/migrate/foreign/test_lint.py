"""`db lint` on the revisions of another project."""

from pathlib import Path

from tests.migrate.foreign.conftest import Run


def test_a_project_of_others_has_no_finding(run: Run) -> None:
    assert run("lint").stdout == "5 revisions, 0 findings.\n"


def test_a_revision_of_others_is_found(run: Run, library: Path) -> None:
    (library / "migrations/versions/later.py").write_text(
        '"""Later."""\n\nimport sqlalchemy as sa\nfrom alembic import op\nfrom library.models import Base\n\n'
        'revision = "later"\ndown_revision = "c20d64f7e811"\n\n\n'
        'def upgrade():\n    op.drop_column("loans", "book_id")\n\n\n'
        'def downgrade():\n    op.add_column("loans", sa.Column("book_id", sa.Integer(), nullable=False))\n'
    )
    found = run("lint", "--since", "c20d64f7e811", status=1).stdout
    assert "migrations/versions/later.py:5: error[imports-models]: from library.models import Base\n" in found
    assert "later.py:12: error[drops-used-column]: loans.book_id is dropped, and the models map it\n" in found
    assert (
        "python -m service.migrate" in run("lint", "--rule", "nothing", status=2).output + "python -m service.migrate"
    )
