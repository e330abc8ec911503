"""Widen record titles.

Three recordings of the first import have titles longer than 100 characters. On PostgreSQL a longer varchar changes the
catalog alone, and each connection plans its cached statements on records again; the downgrade fills a shadow column of
the old type and swaps the two. On SQLite the table is rebuilt.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0016_widen_record_titles"
down_revision = "0015_drop_department_id"
branch_labels = None
depends_on = None


def title(length: int) -> sa.Column[str]:
    return sa.Column("title", sa.String(length), nullable=False)


def upgrade() -> None:
    ops.change_type("records", title(100), title(200))


def downgrade() -> None:
    records = sa.table("records", sa.column("id"), sa.column("title"))
    ops.refuse_if_any(
        sa.select(records.c.id, records.c.title).where(sa.func.length(records.c.title) > 100).order_by(records.c.id),
        "Before this revision a title had at most 100 characters, and some are longer",
    )
    ops.undo()
