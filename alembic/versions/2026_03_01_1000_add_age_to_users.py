"""Add age to users.

An age is optional, and between 0 and 150. Code that does not know the column goes on as before. Traffic feels two
changes of the catalog, a moment each; the rows are looked at beside it.
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
