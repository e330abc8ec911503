"""Add age to users.

The age is optional and between 0 and 150. The old version works without the column. Traffic waits for two changes of
the catalog, milliseconds each; the check is validated without blocking requests.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0002_add_age_to_users"
down_revision = "0001_create_users"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.add_column("users", sa.Column("age", sa.Integer()))
    ops.add_check("users", "ck_users_age", "age BETWEEN 0 AND 150")


def downgrade() -> None:
    ops.undo()
