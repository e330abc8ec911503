"""Create loans."""

import sqlalchemy as sa

from service.migrate import ops

revision = "c20d64f7e811"
down_revision = "f5a8813e9b47"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.create_table(
        "loans",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("book_id", sa.Integer(), sa.ForeignKey("books.id", name="fk_loans_book"), nullable=False),
    )
    ops.create_index("ix_loans_book_id", "loans", ["book_id"])


def downgrade() -> None:
    ops.undo()
