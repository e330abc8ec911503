"""The range of revisions that this code works with; edit it when code depends on a new revision."""

from service.migrate.state.compatibility import Range

# The oldest revision that this code can serve from, and the newest that it knows.
OLDEST = "0023_create_events"
NEWEST = "0025_index_events_of_actors"
# The revisions whose backfill must be complete: this code reads the values in existing rows.
FILLED = (
    "0006_link_departments",
    "0008_fold_users",
    "0010_extend_records",
    "0011_extend_departments",
    "0012_extend_employees",
)

SUPPORTED = Range(oldest=OLDEST, newest=NEWEST, filled=FILLED)
