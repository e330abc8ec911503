"""Fold users.

Two addresses that differ in case only are one: uniqueness, search and order go by keys folded in Python, which both
databases compare by their bytes. Code that does not write the keys cannot write users after this, and users wait while
the keys of all of them are made.
"""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0008_fold_users"
down_revision = "0007_extend_users"
branch_labels = None
depends_on = None

FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


def upgrade() -> None:
    op.add_column("users", sa.Column("name_key", FOLDED))
    op.add_column("users", sa.Column("email_key", FOLDED))
    ops.fill("users", {"name_key": "name", "email_key": "email"}, fold)
    users = sa.table("users", sa.column("id"), sa.column("email"), sa.column("email_key"))
    twice = sa.select(users.c.email_key).group_by(users.c.email_key).having(sa.func.count() > 1)
    ops.refuse_if_any(
        sa.select(users.c.email).where(users.c.email_key.in_(twice)).order_by(users.c.email_key, users.c.id),
        "Some addresses differ in case only, and each can belong to one user",
    )
    with op.batch_alter_table("users") as batch:
        batch.alter_column("name_key", existing_type=FOLDED, nullable=False)
        batch.alter_column("email_key", existing_type=FOLDED, nullable=False)
        batch.create_unique_constraint(op.f("uq_users_email_key"), ["email_key"])
        batch.drop_constraint(op.f("uq_users_email"), type_="unique")
    op.create_index(op.f("ix_users_name_key_id"), "users", ["name_key", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_users_name_key_id"), table_name="users")
    with op.batch_alter_table("users") as batch:
        batch.create_unique_constraint(op.f("uq_users_email"), ["email"])
        batch.drop_constraint(op.f("uq_users_email_key"), type_="unique")
        batch.drop_column("email_key")
        batch.drop_column("name_key")
