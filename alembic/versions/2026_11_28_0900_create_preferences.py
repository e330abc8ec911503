"""Create preferences.

Each user gets one JSON object for the settings of programs. The column is text, because jsonb would change numbers and
SQLite would not. Requests notice nothing: the table is new; its foreign key blocks writes to users for some
milliseconds.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0017_create_preferences"
down_revision = "0016_widen_record_titles"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "preferences",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_preferences"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_preferences_user_id_users", ondelete="CASCADE"),
    )


def downgrade() -> None:
    ops.undo()
