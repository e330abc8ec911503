"""Create records.

A recording has a title, a duration in seconds if it is known, and the time of the recording. No effect on traffic: the
table is new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0004_create_records"
down_revision = "0003_add_address_to_users"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "records",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("duration", sa.Integer()),
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sa.CheckConstraint("duration >= 0", name="ck_records_duration"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    ops.undo()
