"""Create users.

A user has a name and a unique mail address. No effect on traffic: the table is new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0001_create_users"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "users",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    ops.undo()
