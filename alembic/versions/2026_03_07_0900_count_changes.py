"""Count changes.

Every row of the four resources has a version, which detects lost updates, and the times of its creation and last
change; existing rows get version 1 and the current time. Traffic waits for changes of the catalog, milliseconds each;
on SQLite the tables are rebuilt.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0009_count_changes"
down_revision = "0008_fold_users"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("users", "records", "departments", "employees"):
        ops.add_column(table, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        for name in ("created_at", "updated_at"):
            moment = sa.Column(name, sa.DateTime(timezone=True), server_default=ops.now(), nullable=False)
            ops.add_column(table, moment)


def downgrade() -> None:
    ops.undo()
