"""Count changes.

Every row of the four resources counts its changes, so that nobody overwrites what they have not seen, and says when it
was made and changed; rows that exist begin at version 1, now. Traffic feels changes of the catalog, a moment each; on
SQLite the tables are rebuilt.
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
