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
    op.add_column("users", sa.Column("external_id", sa.String(100)))
    op.create_unique_constraint(op.f("uq_users_external_id"), "users", ["external_id"])
    op.add_column("users", sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    op.drop_column("users", "active")
    op.drop_constraint(op.f("uq_users_external_id"), "users", type_="unique")
    op.drop_column("users", "external_id")
