"""Create tokens.

Programs, sessions and password links are known by a token, of which only the SHA-256 digest is stored. A token without
permissions of its own has all that its owner has. Requests notice nothing: the table is new; its foreign key blocks
writes to users for some milliseconds.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from service.migrate import ops

revision = "0021_create_tokens"
down_revision = "0020_create_credentials"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    ops.create_table(
        "tokens",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("permissions", DOCUMENT),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sa.CheckConstraint("kind IN ('token', 'session', 'link')", name="ck_tokens_kind"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_tokens_user_id_users", ondelete="CASCADE"),
        sa.Index("ix_tokens_user_id_id", "user_id", "id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    ops.undo()
