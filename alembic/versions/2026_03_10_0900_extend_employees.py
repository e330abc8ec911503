"""Extend employees.

An employee may have a key of the caller, a job title, a date of hiring and a user, and has a folded name for search and
order. The old version does not write name_key: a trigger folds ASCII letters, and the backfill folds the rest in
Python. Traffic waits for changes of the catalog, milliseconds each; indexes are built concurrently.
"""

from unicodedata import normalize

import sqlalchemy as sa

from service.migrate import ops

revision = "0012_extend_employees"
down_revision = "0011_extend_departments"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


backfill = ops.Backfill(
    name="employees.name_key",
    table="employees",
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
    ops.add_column("employees", sa.Column("external_id", sa.String(100)))
    ops.add_column("employees", sa.Column("user_id", KEY))
    ops.add_column("employees", sa.Column("job_title", sa.String(100)))
    ops.add_column("employees", sa.Column("hired_on", sa.Date()))
    add_key("employees", "name_key", "name")
    ops.add_unique("employees", "uq_employees_external_id", ["external_id"])
    ops.add_unique("employees", "uq_employees_user_id", ["user_id"])
    ops.add_foreign_key("employees", "fk_employees_user_id_users", ["user_id"], "users", ondelete="SET NULL")
    ops.create_index("ix_employees_name_key_id", "employees", ["name_key", "id"])


def contract() -> None:
    ops.set_not_null("employees", "name_key")


def downgrade() -> None:
    ops.undo()
