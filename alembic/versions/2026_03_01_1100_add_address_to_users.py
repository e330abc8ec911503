"""Add address to users.

An address is optional. Traffic feels nothing: an empty column is a matter of the catalog alone.
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
