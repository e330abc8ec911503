"""Add address to users.

The address is optional. Traffic waits for one change of the catalog, for milliseconds.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0003_add_address_to_users"
down_revision = "0002_add_age_to_users"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.add_column("users", sa.Column("address", sa.String(100)))


def downgrade() -> None:
    ops.undo()
