"""Add external id and active to users.

A user may have a key of the caller (external_id), and may be set inactive instead of deleted. The old version, which
writes neither column, creates active users. Traffic waits for changes of the catalog, milliseconds each; the unique
index is built concurrently.
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
