"""Add external id and active to users.

Callers may bring keys of their own, and a user may be switched off instead of deleted. Whoever writes a user without
them gets one that is active. On PostgreSQL writers of users wait while the unique index is built.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_extend_users"
down_revision = "0006_link_departments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("external_id", sa.String(100)))
        users.create_unique_constraint(op.f("uq_users_external_id"), ["external_id"])
        users.add_column(sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("active")
        users.drop_constraint(op.f("uq_users_external_id"), type_="unique")
        users.drop_column("external_id")
