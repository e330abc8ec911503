"""Create credentials.

The hash of a password is in a table of its own: no statement that reads users can return it. Requests notice nothing:
the table is new; its foreign key blocks writes to users for some milliseconds.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0020_create_credentials"
down_revision = "0019_create_user_roles"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "credentials",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_credentials"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_credentials_user_id_users", ondelete="CASCADE"),
    )


def downgrade() -> None:
    ops.undo()
