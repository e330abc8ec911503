"""Fold users.

Addresses that differ in case only are equal: uniqueness, search and order use keys that Python folds and that both
databases compare as bytes. The old version does not write the keys: a trigger folds ASCII letters, and the backfill
folds the rest in Python. Traffic waits for changes of the catalog, milliseconds each.
"""

from unicodedata import normalize

import sqlalchemy as sa

from service.migrate import ops

revision = "0008_fold_users"
down_revision = "0007_extend_users"
branch_labels = None
depends_on = None

FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


backfill = ops.Backfill(
    name="users.keys",
    table="users",
    left="name_key IS NULL OR email_key IS NULL",
    read=("name", "email"),
    write=("name_key", "email_key"),
    by=lambda name, email: (fold(name), fold(email)),
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
    ops.refuse_if_any(
        ops.duplicates("users", "email", by=fold),
        "Some addresses differ in case only, and each can belong to one user",
    )
    add_key("users", "name_key", "name")
    add_key("users", "email_key", "email")
    ops.add_unique("users", "uq_users_email_key", ["email_key"])
    ops.create_index("ix_users_name_key_id", "users", ["name_key", "id"])


def contract() -> None:
    ops.set_not_null("users", "name_key")
    ops.set_not_null("users", "email_key")
    ops.drop_constraint("users", sa.UniqueConstraint("email", name="uq_users_email"))


def downgrade() -> None:
    ops.undo()
