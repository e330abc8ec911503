"""Index events by actor only where there is one.

Imports, commands and the service itself make events without an actor, and no list asks for them by actor. Each of them
had an entry of the index, which was an eighth of the work of storing it. The index is replaced beside the writes that
go on; requests notice nothing.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0025_index_events_of_actors"
down_revision = "0024_index_events_by_time"
branch_labels = None
depends_on = None

WITH_ACTOR = sa.text("actor_id IS NOT NULL")


def upgrade() -> None:
    ops.replace_index(
        "events",
        was=sa.Index("ix_events_actor_id_id", "actor_id", "id"),
        now=sa.Index("ix_events_actor_id_id", "actor_id", "id", postgresql_where=WITH_ACTOR, sqlite_where=WITH_ACTOR),
    )


def downgrade() -> None:
    ops.undo()
