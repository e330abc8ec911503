"""Compatibility of this code with a database's revision: a range, so that replicas stay ready during an upgrade."""

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

    `filled` are the revisions whose backfill the code needs.
    """

    oldest: str
    newest: str
    filled: tuple[str, ...] = ()


class Compatibility(StrEnum):
    """Whether this code works with the schema of a database.

    `foreign`: a revision that is not of this project. `diverged`: an alembic_version that contradicts itself.
    """

    EMPTY = "empty"
    BEHIND = "behind"
    COMPATIBLE = "compatible"
    AHEAD = "ahead"
    DIVERGED = "diverged"
    FOREIGN = "foreign"

    @property
    def works(self) -> bool:
        """Whether this code can serve from the database: an expand by newer code leaves older code working."""
        return self in (Compatibility.COMPATIBLE, Compatibility.AHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rows of alembic_version, and the compatibility of that database.

    `recorded` are the revisions in the ledger, read only when a row of alembic_version has no script.
    """

    heads: tuple[str, ...]
    compatibility: Compatibility
    recorded: frozenset[str] = frozenset()

    def applied(self, directory: ScriptDirectory) -> set[str]:
        """The applied revisions among these scripts."""
        found = self.heads if self.compatibility is Compatibility.FOREIGN else (*self.heads, *self.recorded)
        return graph.with_ancestors(directory, found)

    @property
    def why(self) -> str:
        """Why this code cannot serve from the database, and the command that helps."""
        return {
            Compatibility.EMPTY: f"The database has no schema yet: run {naming.command('upgrade')}.",
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
    """The compatibility of a database with these rows in alembic_version; without a range, with the newest revision.

    `recorded` are the revisions in the ledger. A head without a script comes from newer code if the ledger has it and
    the oldest revision of the range.
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
    """Raises Refused, with the cure, if alembic_version has a revision without a script, or contradicts itself."""
    if strangers := graph.unknown(directory, heads):
        if ledger.recorded(connection, strangers).issuperset(strangers):
            raise Refused(
                f"The database is at revision {' and '.join(strangers)}, which this version does not have: a newer "
                "version upgraded the database. Run the command with that version."
            )
        raise Refused(foreign(strangers))
    if graph.overlapping(directory, heads):
        raise Refused(diverged(heads))


def foreign(heads: Collection[str]) -> str:
    """The message for a database at a revision of another project."""
    names = naming.current()
    page = f", see {names.adopting}" if names.adopting else ""
    return (
        f"The database is at {' and '.join(sorted(heads))}, which is not a revision of this project: another program "
        f"created its schema. Set another database in {names.database_setting}, or adopt this one{page}."
    )


def diverged(heads: Collection[str]) -> str:
    """The message for an alembic_version in which one row is an ancestor of another."""
    return (
        f"alembic_version holds {' and '.join(sorted(heads))}, and one of them is an ancestor of another. Run `alembic "
        "stamp --purge REVISION` with the revision that the tables have."
    )


async def heads(engine: AsyncEngine) -> tuple[str, ...]:
    """The rows of alembic_version, by one SELECT; none without the table."""
    try:
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return tuple(sorted(found.scalars()))
    except DBAPIError as error:
        if is_not_there_yet(error):
            return ()
        raise


async def unfilled(engine: AsyncEngine, supported: Range) -> tuple[str, ...]:
    """The revisions whose backfill this code needs and which is incomplete, by one SELECT."""
    try:
        async with engine.connect() as connection:
            return tuple((await connection.execute(_UNFILLED, {"needed": supported.filled})).scalars())
    except DBAPIError as error:
        # Without a ledger, every revision was applied in one transaction, backfill included.
        if is_not_there_yet(error):
            return ()
        raise


async def check(engine: AsyncEngine, supported: Range | None = None, config: Source | None = None) -> Standing:
    """The standing of the engine's database: one SELECT if it is at the newest revision of this code, else more.

    `config` names the project's alembic.ini, as in `plan.config.configuration_file`.

    Raises:
        Refused: the scripts are needed and cannot be loaded.
    """
    while True:
        found = await _check(engine, await heads(engine), supported, config)
        # Between the reads a migrator may have committed; then heads and ledger are of two states.
        if found.compatibility is not Compatibility.FOREIGN or await heads(engine) == found.heads:
            return found


async def _check(
    engine: AsyncEngine, found: tuple[str, ...], supported: Range | None, config: Source | None
) -> Standing:
    if not found:
        return Standing(heads=(), compatibility=Compatibility.EMPTY)
    if supported is not None and found == (supported.newest,):
        return Standing(heads=found, compatibility=Compatibility.COMPATIBLE)
    # In a thread: the first call imports every revision file, which would block the event loop.
    directory = await asyncio.to_thread(scripts, config)
    recorded: frozenset[str] = frozenset()
    if graph.unknown(directory, found):
        async with engine.connect() as connection:
            recorded = frozenset(await connection.run_sync(ledger.recorded, found))
    return Standing(heads=found, compatibility=judge(found, recorded, supported, directory), recorded=recorded)


def is_not_there_yet(error: DBAPIError) -> bool:
    """Whether the error says that a table is missing, since nothing was ever migrated."""
    return any(is_schema_missing(each) for each in causes(error))
