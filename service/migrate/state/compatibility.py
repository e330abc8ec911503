"""Which revisions of the database this code works with, so that a service can be ready while the schema moves on."""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.failures import causes, is_schema_missing

OLDEST = "0016_widen_record_titles"
NEWEST = "0016_widen_record_titles"
# This code reads what these revisions fill in rows that were there before them.
FILLED = (
    "0006_link_departments",
    "0008_fold_users",
    "0010_extend_records",
    "0011_extend_departments",
    "0012_extend_employees",
)
_DIGITS = 4


_UNFILLED = text(
    "SELECT revision FROM migration_revisions AS applied WHERE revision IN :needed AND NOT EXISTS ("
    "SELECT 1 FROM migration_fills AS fill WHERE fill.revision = applied.revision AND state = 'done') ORDER BY revision"
).bindparams(bindparam("needed", expanding=True))


class Place(StrEnum):
    """Where a database stands, seen from this code."""

    EMPTY = "empty"
    BEHIND = "behind"
    INSIDE = "inside"
    AHEAD = "ahead"
    SPLIT = "split"

    @property
    def works(self) -> bool:
        """Whether this code can serve from it: what newer code adds is made to leave the code before it working."""
        return self in (Place.INSIDE, Place.AHEAD)


def place(heads: Iterable[str]) -> Place:
    """Tell where a database with these rows in alembic_version stands; the number in front of an id is its order."""
    found = sorted(heads)
    if not found:
        return Place.EMPTY
    if len(found) > 1:
        return Place.SPLIT
    number = found[0][:_DIGITS]
    if number < OLDEST[:_DIGITS]:
        return Place.BEHIND
    return Place.AHEAD if number > NEWEST[:_DIGITS] else Place.INSIDE


async def heads(engine: AsyncEngine) -> tuple[str, ...]:
    """The rows of alembic_version, by one SELECT; none when the table is not there yet."""
    try:
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return tuple(sorted(found.scalars()))
    except DBAPIError as error:
        if is_not_there_yet(error):
            return ()
        raise


async def unfilled(engine: AsyncEngine) -> tuple[str, ...]:
    """The revisions whose backfill this code needs and which is not over, by one SELECT."""
    try:
        async with engine.connect() as connection:
            return tuple((await connection.execute(_UNFILLED, {"needed": FILLED})).scalars())
    except DBAPIError as error:
        # Before there was a ledger, a revision filled what it had to by itself.
        if is_not_there_yet(error):
            return ()
        raise


async def check(engine: AsyncEngine) -> Place:
    """Where the engine's database stands now."""
    return place(await heads(engine))


def is_not_there_yet(error: DBAPIError) -> bool:
    """Whether a reader met no table, since nothing was ever migrated."""
    return any(is_schema_missing(each) for each in causes(error))
