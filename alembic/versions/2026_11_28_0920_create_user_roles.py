"""Create user_roles.

A user has any number of roles, and a role that a user has cannot be deleted. Requests notice nothing: the table is new;
its foreign keys block writes to users and roles for some milliseconds each.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0019_create_user_roles"
down_revision = "0018_create_roles"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "user_roles",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("role_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_user_roles"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_roles_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_user_roles_role_id_roles", ondelete="RESTRICT"),
        sa.Index("ix_user_roles_role_id_user_id", "role_id", "user_id"),
    )


def downgrade() -> None:
    ops.undo()
