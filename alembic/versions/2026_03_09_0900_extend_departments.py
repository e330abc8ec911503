"""Extend departments.

A department may have a key of the caller and a description, and its name is unique regardless of case. The old version
does not write name_key: a trigger folds ASCII letters, and the backfill folds the rest in Python. Traffic waits for
changes of the catalog, milliseconds each.
"""

from unicodedata import normalize

import sqlalchemy as sa

from service.migrate import ops

revision = "0011_extend_departments"
down_revision = "0010_extend_records"
branch_labels = None
depends_on = None

FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


backfill = ops.Backfill(
    name="departments.name_key",
    table="departments",
    left="name_key IS NULL",
    read=("name",),
    write=("name_key",),
    by=lambda name: (fold(name),),
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
        ops.duplicates("departments", "name", by=fold),
        "Some departments have one name, or names that differ in case only",
    )
    ops.add_column("departments", sa.Column("external_id", sa.String(100)))
    ops.add_column("departments", sa.Column("description", sa.String(2000)))
    add_key("departments", "name_key", "name")
    ops.add_unique("departments", "uq_departments_name_key", ["name_key"])
    ops.add_unique("departments", "uq_departments_external_id", ["external_id"])


def contract() -> None:
    ops.set_not_null("departments", "name_key")


def downgrade() -> None:
    ops.undo()
