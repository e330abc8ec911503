"""Extend records.

Recordings get a key of their callers, an owner, a description, tags, and a folded title to be found and sorted by.
Code that does not write title_key cannot write records after this; records wait while the keys of all of them are made.
"""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from service.migrate import ops

revision = "0010_extend_records"
down_revision = "0009_count_changes"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


def upgrade() -> None:
    op.add_column("records", sa.Column("external_id", sa.String(100)))
    op.add_column("records", sa.Column("owner_id", KEY))
    op.add_column("records", sa.Column("description", sa.String(2000)))
    op.add_column("records", sa.Column("tags", DOCUMENT, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("records", sa.Column("title_key", FOLDED))
    ops.fill("records", {"title_key": "title"}, fold)
    with op.batch_alter_table("records") as records:
        records.alter_column("title_key", existing_type=FOLDED, nullable=False)
        records.create_unique_constraint(op.f("uq_records_external_id"), ["external_id"])
        records.create_foreign_key(
            op.f("fk_records_owner_id_users"), "users", ["owner_id"], ["id"], ondelete="SET NULL"
        )
    op.create_index(op.f("ix_records_date_created_id"), "records", ["date_created", "id"])
    op.create_index(op.f("ix_records_owner_id_id"), "records", ["owner_id", "id"])
    op.create_index(op.f("ix_records_title_key_id"), "records", ["title_key", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_records_title_key_id"), table_name="records")
    op.drop_index(op.f("ix_records_owner_id_id"), table_name="records")
    op.drop_index(op.f("ix_records_date_created_id"), table_name="records")
    with op.batch_alter_table("records") as records:
        records.drop_constraint(op.f("fk_records_owner_id_users"), type_="foreignkey")
        records.drop_constraint(op.f("uq_records_external_id"), type_="unique")
        for name in ("title_key", "tags", "description", "owner_id", "external_id"):
            records.drop_column(name)
