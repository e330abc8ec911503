"""Date department employees.

A link says from when to when, and counts its changes as every resource does. On PostgreSQL this is a matter of the
catalog alone; on SQLite the table is rebuilt.
"""

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0013_date_links"
down_revision = "0012_extend_employees"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("department_employees") as links:
        links.add_column(sa.Column("from_date", sa.Date()))
        links.add_column(sa.Column("to_date", sa.Date()))
        links.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        for name in ("created_at", "updated_at"):
            links.add_column(sa.Column(name, sa.DateTime(timezone=True), server_default=ops.now(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("department_employees") as links:
        for name in ("updated_at", "created_at", "version", "to_date", "from_date"):
            links.drop_column(name)
