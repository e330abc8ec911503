"""Date department employees.

A link has a first and a last day, and a version as every resource has. Traffic waits for changes of the catalog,
milliseconds each; on SQLite the table is rebuilt.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0013_date_links"
down_revision = "0012_extend_employees"
branch_labels = None
depends_on = None

LINKS = "department_employees"


def upgrade() -> None:
    ops.add_column(LINKS, sa.Column("from_date", sa.Date()))
    ops.add_column(LINKS, sa.Column("to_date", sa.Date()))
    ops.add_column(LINKS, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    for name in ("created_at", "updated_at"):
        ops.add_column(LINKS, sa.Column(name, sa.DateTime(timezone=True), server_default=ops.now(), nullable=False))


def downgrade() -> None:
    ops.undo()
