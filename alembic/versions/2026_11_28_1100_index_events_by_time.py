"""Index events by time.

A list with since or until had to read every event until it found enough. Sorted by created_at it now reads the events
of that time alone. The index is made beside the writes that go on; requests notice nothing.
"""

from service.migrate import ops

revision = "0024_index_events_by_time"
down_revision = "0023_create_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ops.create_index("ix_events_created_at_id", "events", ["created_at", "id"])


def downgrade() -> None:
    ops.undo()
