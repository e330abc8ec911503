"""Extend records.

A recording may have a key of the caller, an owner, a description and tags, and has a folded title for search and order.
The old version does not write title_key: a trigger folds ASCII letters, and the backfill folds the rest in Python.
Traffic waits for changes of the catalog, milliseconds each; indexes are built concurrently.
"""

from unicodedata import normalize

import sqlalchemy as sa
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


backfill = ops.Backfill(
    name="records.title_key",
    table="records",
    left="title_key IS NULL",
    read=("title",),
    write=("title_key",),
    by=lambda title: (fold(title),),
)


def add_key(table: str, key: str, source: str) -> None:
    """Add a folded key, which follows its source where code does not know it.

    SQL folds plain letters as Python does. For others it can only tell that a key is still right; if it may not be, the
    row is left to the backfill.
    """
    ops.add_column(table, sa.Column(key, FOLDED), derived=True)
    ops.follow(
        table,
        key,
        source,
        postgresql=f'CASE WHEN octet_length({source}) = char_length({source}) THEN lower({source} COLLATE "C") '
        f"WHEN {key} = lower(normalize({source}, NFKC)) THEN {key} END",
        sqlite=f"CASE WHEN length(CAST({source} AS BLOB)) = length({source}) THEN lower({source}) END",
    )


def upgrade() -> None:
    ops.add_column("records", sa.Column("external_id", sa.String(100)))
    ops.add_column("records", sa.Column("owner_id", KEY))
    ops.add_column("records", sa.Column("description", sa.String(2000)))
    ops.add_column("records", sa.Column("tags", DOCUMENT, server_default=sa.text("'[]'"), nullable=False))
    add_key("records", "title_key", "title")
    ops.add_unique("records", "uq_records_external_id", ["external_id"])
    ops.add_foreign_key("records", "fk_records_owner_id_users", ["owner_id"], "users", ondelete="SET NULL")
    ops.create_index("ix_records_date_created_id", "records", ["date_created", "id"])
    ops.create_index("ix_records_owner_id_id", "records", ["owner_id", "id"])
    ops.create_index("ix_records_title_key_id", "records", ["title_key", "id"])


def contract() -> None:
    ops.set_not_null("records", "title_key")


def downgrade() -> None:
    ops.undo()
