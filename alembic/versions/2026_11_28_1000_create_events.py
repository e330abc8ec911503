"""Create events.

Every change is a row, written in the transaction of the change. transaction_id gives the change feed the order of
commits on PostgreSQL; SQLite has one writer, so the ids are in that order. There are no foreign keys: an event outlives
who made it and what it is about. Requests notice nothing: the table is new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0023_create_events"
down_revision = "0022_create_logins"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    transaction_id = ops.either(postgresql="pg_current_xact_id()::text::bigint", sqlite="0")
    ops.create_table(
        "events",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text(transaction_id), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.Column("actor_id", KEY),
        sa.Column("token_id", KEY),
        sa.Column("via", sa.String(10), nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("resource", sa.String(50), nullable=False),
        sa.Column("resource_id", KEY),
        sa.Column("resource_key", sa.String(200)),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.CheckConstraint("via IN ('api', 'cli', 'import', 'system')", name="ck_events_via"),
        sa.Index("ix_events_transaction_id_id", "transaction_id", "id"),
        sa.Index("ix_events_resource_resource_id_id", "resource", "resource_id", "id"),
        sa.Index("ix_events_actor_id_id", "actor_id", "id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    ops.undo()
