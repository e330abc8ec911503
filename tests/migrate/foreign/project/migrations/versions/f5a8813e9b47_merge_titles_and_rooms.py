"""Merge titles and rooms."""

from service.migrate import ops

revision = "f5a8813e9b47"
down_revision = ("91c4e7a05f3d", "0d72be58c6e1")
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    ops.undo()
