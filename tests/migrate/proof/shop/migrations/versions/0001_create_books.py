"""Create books."""

import sqlalchemy as sa

from service.migrate import ops

revision = "0001_create_books"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.create_table(
        "books",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("title", sa.String(50), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
    )


def downgrade() -> None:
    ops.undo()
