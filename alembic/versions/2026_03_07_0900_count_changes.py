"""Count changes.

Every row of the four resources counts its changes, so that nobody overwrites what they have not seen, and says when it
was made and changed; rows that exist begin at version 1, now. On PostgreSQL this is a matter of the catalog alone, one
short lock a table; on SQLite the tables are rebuilt.
"""

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0009_count_changes"
down_revision = "0008_fold_users"
branch_labels = None
depends_on = None

TABLES = ("users", "records", "departments", "employees")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
            for name in ("created_at", "updated_at"):
                moment = sa.Column(name, sa.DateTime(timezone=True), server_default=ops.now(), nullable=False)
                batch.add_column(moment)


def downgrade() -> None:
    for table in reversed(TABLES):
        with op.batch_alter_table(table) as batch:
            for name in ("updated_at", "created_at", "version"):
                batch.drop_column(name)
