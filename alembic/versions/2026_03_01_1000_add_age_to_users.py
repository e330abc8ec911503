"""Add age to users.

An age is optional, and between 0 and 150. Code that does not know the column goes on as before; on PostgreSQL the check
reads the table once while writers of users wait, on SQLite the table is rebuilt.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_add_age_to_users"
down_revision = "0001_create_users"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("age", sa.Integer()))
        users.create_check_constraint(op.f("ck_users_age"), "age BETWEEN 0 AND 150")


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("ck_users_age"), type_="check")
        users.drop_column("age")
