"""Where a database stands among the revisions, told in one look."""

import re
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Purpose, create_engine, parse_url, sqlite_file
from service.migrate import commands, lock, supported
from service.migrate.config import scripts
from service.migrate.errors import told
from service.migrate.supported import Place
from service.migrate.waiting import disposed

_DATED = re.compile(r"(\d{4})_(\d\d)_(\d\d)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One step of the history; `applied` is unknown when no database was asked."""

    id: str
    title: str
    date: str
    file: str
    applied: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`current` has one revision, none when nothing was ever applied, more only between two heads and their merge."""

    database: str
    place: Place
    current: tuple[str, ...]
    head: str
    pending: tuple[str, ...]
    migrator: str | None

    @property
    def up_to_date(self) -> bool:
        return self.current == (self.head,)


async def status(url: str) -> Status:
    """Ask the database once; raises Refused if it cannot be reached."""
    parsed = parse_url(url)
    heads: tuple[str, ...] = ()
    migrator = lock.file_holder(parsed)
    if not _is_missing_file(parsed):
        with told(parsed):
            async with disposed(create_engine(parsed, Purpose.READ)) as engine:
                heads = await supported.heads(engine)
                migrator = migrator or await _session_holder(engine)
    return Status(
        database=parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True),
        place=supported.place(heads),
        current=heads,
        head=commands.head(),
        pending=tuple(revision.id for revision in reversed(history(heads)) if not revision.applied),
        migrator=migrator,
    )


async def current(url: str) -> tuple[str, ...]:
    """The heads the database is at: none when nothing was ever applied, more than one only between merges."""
    parsed = parse_url(url)
    if _is_missing_file(parsed):
        return ()
    with told(parsed):
        async with disposed(create_engine(parsed, Purpose.READ)) as engine:
            return await supported.heads(engine)


def history(heads: tuple[str, ...] | None) -> list[Revision]:
    """Every revision, newest first; those below the heads are applied."""
    applied = _ancestors(heads or ())
    return [_revision(script, None if heads is None else script.revision in applied) for script in _walk()]


def _walk() -> list[Script]:
    return list(scripts().walk_revisions())


def _ancestors(heads: tuple[str, ...]) -> set[str]:
    try:
        return {script.revision for script in scripts().iterate_revisions(heads, "base")} if heads else set()
    except (CommandError, RevisionError):
        # A database ahead of this code has all that this code knows.
        return {script.revision for script in _walk()}


def _revision(script: Script, applied: bool | None) -> Revision:  # noqa: FBT001 - a fact, not a switch
    file = Path(script.path).name
    dated = _DATED.match(file)
    date = "-".join(dated.groups()) if dated else ""
    return Revision(id=script.revision, title=script.doc, date=date, file=file, applied=applied)


def _is_missing_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not sqlite_file(url).exists()


async def _session_holder(engine: AsyncEngine) -> str | None:
    if engine.dialect.name == "sqlite":
        return None
    async with engine.connect() as connection:
        return await connection.run_sync(lock.session_holder)
