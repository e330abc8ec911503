"""Add external id and active to users.

Callers may bring keys of their own, and a user may be switched off instead of deleted. Whoever writes a user without
them gets one that is active. Traffic feels changes of the catalog, a moment each; the unique index is built beside it.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0007_extend_users"
down_revision = "0006_link_departments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.add_column("users", sa.Column("external_id", sa.String(100)))
    ops.add_unique("users", "uq_users_external_id", ["external_id"])
    ops.add_column("users", sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    ops.undo()
