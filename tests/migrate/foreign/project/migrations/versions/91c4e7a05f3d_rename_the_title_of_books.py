"""Rename the title of books, and drop their condition."""

import sqlalchemy as sa

from service.migrate import ops

revision = "91c4e7a05f3d"
down_revision = "3b6f0c9d21aa"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.rename_column(
        "books",
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("headline", sa.String(200), nullable=False),
    )


def contract() -> None:
    ops.drop_column("books", sa.Column("condition", sa.String(20)))


def downgrade() -> None:
    ops.undo()
