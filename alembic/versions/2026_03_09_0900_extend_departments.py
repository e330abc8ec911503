"""Extend departments.

Departments get a key of their callers and a description, and no two may have one name, however it is written. Code
that does not write name_key cannot write departments after this.
"""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0011_extend_departments"
down_revision = "0010_extend_records"
branch_labels = None
depends_on = None

FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


def upgrade() -> None:
    op.add_column("departments", sa.Column("external_id", sa.String(100)))
    op.add_column("departments", sa.Column("description", sa.String(2000)))
    op.add_column("departments", sa.Column("name_key", FOLDED))
    ops.fill("departments", {"name_key": "name"}, fold)
    departments = sa.table("departments", sa.column("id"), sa.column("name"), sa.column("name_key"))
    twice = sa.select(departments.c.name_key).group_by(departments.c.name_key).having(sa.func.count() > 1)
    ops.refuse_if_any(
        sa.select(departments.c.name)
        .where(departments.c.name_key.in_(twice))
        .order_by(departments.c.name_key, departments.c.id),
        "Some departments have one name, or names that differ in case only",
    )
    with op.batch_alter_table("departments") as batch:
        batch.alter_column("name_key", existing_type=FOLDED, nullable=False)
        batch.create_unique_constraint(op.f("uq_departments_name_key"), ["name_key"])
        batch.create_unique_constraint(op.f("uq_departments_external_id"), ["external_id"])


def downgrade() -> None:
    with op.batch_alter_table("departments") as batch:
        batch.drop_constraint(op.f("uq_departments_external_id"), type_="unique")
        batch.drop_constraint(op.f("uq_departments_name_key"), type_="unique")
        for name in ("name_key", "description", "external_id"):
            batch.drop_column(name)
