"""Create idempotency keys.

The answer to a request with an Idempotency-Key is stored in the transaction of the request, so that a repeated request
changes nothing. No effect on traffic: the table is new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0014_create_idempotency_keys"
down_revision = "0013_date_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.create_table(
        "idempotency_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", sa.LargeBinary()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_keys"),
    )
    ops.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    ops.undo()
