"""Which revisions of the database this code works with, so that a service can be ready while the schema moves on."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.failures import causes, is_schema_missing
from service.migrate import naming
from service.migrate.errors import Refused
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.state import ledger

_UNFILLED = text(
    "SELECT revision FROM migration_revisions AS applied WHERE revision IN :needed AND NOT EXISTS ("
    "SELECT 1 FROM migration_fills AS fill WHERE fill.revision = applied.revision AND state = 'done') ORDER BY revision"
).bindparams(bindparam("needed", expanding=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The oldest revision that a version of the code can serve from, and the newest that it knows.

    `filled` are the revisions whose backfill it needs.
    """

    oldest: str
    newest: str
    filled: tuple[str, ...] = ()


class Compatibility(StrEnum):
    """Whether this code works with the schema of a database.

    `foreign` is a revision that is not one of this project, `diverged` an alembic_version that contradicts itself.
    """

    EMPTY = "empty"
    BEHIND = "behind"
    COMPATIBLE = "compatible"
    AHEAD = "ahead"
    DIVERGED = "diverged"
    FOREIGN = "foreign"

    @property
    def works(self) -> bool:
        """Whether this code can serve from it: what newer code adds is made to leave the code before it working."""
        return self in (Compatibility.COMPATIBLE, Compatibility.AHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rows of alembic_version, and the compatibility of such a database.

    `recorded` are the revisions that the database says this project's migrator applied; asked when a row has no script.
    """

    heads: tuple[str, ...]
    compatibility: Compatibility
    recorded: frozenset[str] = frozenset()

    def applied(self, directory: ScriptDirectory) -> set[str]:
        """The revisions of these scripts that the database has."""
        found = self.heads if self.compatibility is Compatibility.FOREIGN else (*self.heads, *self.recorded)
        return graph.with_ancestors(directory, found)

    @property
    def why(self) -> str:
        """Why this code cannot serve from the database, and what helps."""
        return {
            Compatibility.EMPTY: f"The schema has not been made yet: run {naming.command('upgrade')}.",
            Compatibility.BEHIND: f"The schema is older than this code works with: run {naming.command('upgrade')}.",
            Compatibility.DIVERGED: diverged(self.heads),
            Compatibility.FOREIGN: foreign(self.heads),
        }.get(self.compatibility, "")


def judge(
    heads: Iterable[str],
    recorded: Collection[str],
    supported: Range | None,
    directory: ScriptDirectory,
) -> Compatibility:
    """Tell where a database with these rows in alembic_version stands; without a range, the newest revision is needed.

    `recorded` are the revisions that the database itself says were applied there by this project's migrator: a head
    without a script is newer code's if it is among them, and so is the oldest revision that this code works with.
    """
    found = set(heads)
    if not found:
        return Compatibility.EMPTY
    if supported is not None and found == {supported.newest}:
        return Compatibility.COMPATIBLE
    heads_of_code = directory.get_heads()
    oldest, newest = ([supported.oldest], [supported.newest]) if supported else (heads_of_code, heads_of_code)
    if strangers := graph.unknown(directory, found):
        begun = oldest if supported else directory.get_bases()
        applied = graph.with_ancestors(directory, found) | set(recorded)
        return Compatibility.AHEAD if applied.issuperset((*begun, *strangers)) else Compatibility.FOREIGN
    if graph.overlapping(directory, found):
        return Compatibility.DIVERGED
    applied = graph.with_ancestors(directory, found)
    if not applied.issuperset(oldest):
        return Compatibility.BEHIND
    return Compatibility.COMPATIBLE if applied <= graph.with_ancestors(directory, newest) else Compatibility.AHEAD


def refuse_unknown(connection: Connection, heads: Collection[str], directory: ScriptDirectory) -> None:
    """Raises Refused if these rows of alembic_version are not all revisions that this code has, with the way out."""
    if strangers := graph.unknown(directory, heads):
        if ledger.recorded(connection, strangers).issuperset(strangers):
            raise Refused(
                f"The database is at revision {' and '.join(strangers)}, which this code does not know: newer code "
                "upgraded it. Run this with that code."
            )
        raise Refused(foreign(strangers))
    if graph.overlapping(directory, heads):
        raise Refused(diverged(heads))


def foreign(heads: Collection[str]) -> str:
    """What is said of a database that another program's migrations made."""
    names = naming.current()
    page = f" as {names.adopting} says" if names.adopting else ""
    return (
        f"The database is at {' and '.join(sorted(heads))}, which is not a revision of this project: another program's "
        f"migrations made it. Name another database in {names.database_setting}, or adopt this one{page}."
    )


def diverged(heads: Collection[str]) -> str:
    """What is said of a version table of which one row includes another."""
    return (
        f"alembic_version holds {' and '.join(sorted(heads))}, of which one builds on another: `alembic stamp --purge "
        "REVISION` leaves the one that the tables are at."
    )


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


async def unfilled(engine: AsyncEngine, supported: Range) -> tuple[str, ...]:
    """The revisions whose backfill this code needs and which is not over, by one SELECT."""
    try:
        async with engine.connect() as connection:
            return tuple((await connection.execute(_UNFILLED, {"needed": supported.filled})).scalars())
    except DBAPIError as error:
        # Before there was a ledger, a revision filled what it had to by itself.
        if is_not_there_yet(error):
            return ()
        raise


async def check(engine: AsyncEngine, supported: Range | None = None, config: Source | None = None) -> Standing:
    """Where the engine's database stands now: one SELECT, and more only when it is not at this code's newest revision.

    `config` names the project's alembic.ini, as in `plan.config.configuration_file`.

    Raises:
        Refused: the scripts cannot be read, and are needed to tell.
    """
    found = await heads(engine)
    if not found:
        return Standing(heads=(), compatibility=Compatibility.EMPTY)
    if supported is not None and found == (supported.newest,):
        return Standing(heads=found, compatibility=Compatibility.COMPATIBLE)
    # Reading the revisions' files takes a moment, once, that no other request should wait for.
    directory = await asyncio.to_thread(scripts, config)
    recorded: frozenset[str] = frozenset()
    if graph.unknown(directory, found):
        async with engine.connect() as connection:
            recorded = frozenset(await connection.run_sync(ledger.recorded, found))
    return Standing(heads=found, compatibility=judge(found, recorded, supported, directory), recorded=recorded)


def is_not_there_yet(error: DBAPIError) -> bool:
    """Whether a reader met no table, since nothing was ever migrated."""
    return any(is_schema_missing(each) for each in causes(error))
