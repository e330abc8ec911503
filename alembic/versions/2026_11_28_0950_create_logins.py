"""Create logins.

Every attempt to log in is a row. Its id is its time, in microseconds since 1970, so that PostgreSQL can partition by
month and drop a month at once. Rows of a month without a partition go to the default partition, so that no login fails.
There is no foreign key to users, which would have to be checked to drop a partition. Requests notice nothing: the table
is new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0022_create_logins"
down_revision = "0021_create_tokens"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def upgrade() -> None:
    ops.create_table(
        "logins",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("user_id", KEY),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("network", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(200)),
        sa.Column("email", sa.String(254)),
        sa.Column("email_key", FOLDED),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.CheckConstraint("outcome IN ('ok', 'wrong', 'unknown', 'inactive', 'throttled')", name="ck_logins_outcome"),
        sa.Index("ix_logins_user_id_id", "user_id", "id"),
        sa.Index("ix_logins_email_key_id", "email_key", "id"),
        sa.Index("ix_logins_email_key_network_id", "email_key", "network", "id"),
        sa.Index("ix_logins_network_id", "network", "id"),
        sa.Index("ix_logins_outcome_id", "outcome", "id"),
        postgresql_partition_by="RANGE (id)",
    )
    # A table that comes back from the trash still has its partitions.
    ops.execute(
        "CREATE the default partition of the new table logins",
        postgresql=["CREATE TABLE IF NOT EXISTS logins_default PARTITION OF logins DEFAULT"],
    )


def downgrade() -> None:
    ops.undo()
