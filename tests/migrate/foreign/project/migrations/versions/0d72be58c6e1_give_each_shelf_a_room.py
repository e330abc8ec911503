"""Give each shelf a room: the part of its label before the slash."""

import sqlalchemy as sa

from service.migrate import ops

revision = "0d72be58c6e1"
down_revision = "3b6f0c9d21aa"
branch_labels = None
depends_on = None

backfill = ops.Backfill(
    name="shelves.room",
    table="shelves",
    left="room IS NULL",
    read=("label",),
    write=("room",),
    by=lambda label: (label.partition("/")[0],),
)


def upgrade() -> None:
    ops.add_column("shelves", sa.Column("room", sa.String(20)))


def contract() -> None:
    ops.set_not_null("shelves", "room")


def downgrade() -> None:
    ops.undo()
