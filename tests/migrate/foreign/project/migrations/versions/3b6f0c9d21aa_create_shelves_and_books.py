"""Create shelves and books."""

import sqlalchemy as sa

from service.migrate import ops

revision = "3b6f0c9d21aa"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.create_table(
        "shelves",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("label", sa.String(20), nullable=False),
    )
    ops.create_table(
        "books",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("condition", sa.String(20)),
        sa.Column("shelf_id", sa.Integer(), sa.ForeignKey("shelves.id", name="fk_books_shelf"), nullable=False),
    )
    ops.create_index("ix_books_shelf_id", "books", ["shelf_id"])


def downgrade() -> None:
    ops.undo()
