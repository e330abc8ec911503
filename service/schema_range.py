"""The revisions that this code works with; edit these three when the code comes to depend on a revision."""

from service.migrate.state.compatibility import Range

# The oldest revision that this code can serve from, and the newest that it knows.
OLDEST = "0023_create_events"
NEWEST = "0023_create_events"
# The revisions whose backfill this code needs: it reads what they fill in rows that were there before them.
FILLED = (
    "0006_link_departments",
    "0008_fold_users",
    "0010_extend_records",
    "0011_extend_departments",
    "0012_extend_employees",
)

SUPPORTED = Range(oldest=OLDEST, newest=NEWEST, filled=FILLED)
