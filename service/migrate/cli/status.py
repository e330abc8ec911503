"""`status`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.db.counting import counted
from service.migrate import naming
from service.migrate.cli.options import Target, target_of
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.entrypoints.status import BackfillProgress, Status

_MOST_LINES = 10
_EXPLAINED = {
    "empty": "this code has no tables to work with",
    "behind": "this code needs newer tables",
    "compatible": "this code works with it",
    "ahead": "newer code upgraded it, and this code is expected to work with it",
    "diverged": "one of these builds on another",
    "foreign": "not a revision of this project",
}


@click.command()
@output
@database
def status(url: str | None, *, output: Output) -> None:
    """Show the revision, what is pending, and drift.

    The exit status is 0 if the database is at the one head and nothing is incomplete, edited, contradictory or changed
    by other means, else 1. A pending backfill or contract does not count.
    """
    found = read_status(target_of(url))
    document = asdict(found) | {
        "works": found.compatibility.works,
        "up_to_date": found.up_to_date,
        "is_sound": found.is_sound,
    }
    output.write(document, _lines(found))
    click.get_current_context().exit(0 if found.is_sound else 1)


def read_status(target: Target) -> "Status":
    import asyncio

    from service.migrate.entrypoints import status

    return asyncio.run(status.status(target.url, target.supported, config=target.config))


def what_is_left(found: "Status") -> Iterator[str]:
    """The commands that are still to be run, and why."""
    phases = found.phases
    if phases.backfill:
        yield f"To fill, with {naming.command('backfill')}: {', '.join(phases.backfill)}."
    if phases.contract:
        yield f"To contract when no older code runs, with {naming.command('contract')}: {', '.join(phases.contract)}."
    if phases.trash:
        yield f"In the trash until {naming.command('purge')}: {', '.join(phases.trash)}."


def _lines(found: "Status") -> Iterator[str]:
    where = _whole_path(found.database)
    yield f"{where} is at {' and '.join(found.current) or 'no revision yet'}: {_EXPLAINED[found.compatibility]}."
    if found.has_branches:
        yield f"The revisions have more than one head, {found.head}: `alembic merge heads` joins them."
    if found.compatibility in ("foreign", "diverged"):
        yield found.why
    phases = found.phases
    if found.migrator:
        yield f"A migrator is running: {found.migrator}."
    if found.blocked_by:
        yield f"It is blocked by {found.blocked_by}."
    for revision in phases.incomplete:
        up, down = naming.command("upgrade"), naming.command("downgrade")
        yield f"{revision} is incomplete: {up} completes it, {down} undoes it."
    yield from found.contradictions
    if found.pending:
        yield f"{len(found.pending)} to apply with {naming.command('upgrade')}:"
        yield from (f"  {each}" for each in found.pending)
    yield from what_is_left(found)
    yield from (_progress(each) for each in phases.backfills)
    for revision in phases.checksum_mismatch:
        yield f"{revision} was edited since it was applied (checksum mismatch)."
    if phases.drift:
        were = "was" if len(phases.drift) == 1 else "were"
        yield f"{counted(len(phases.drift), 'change')} {were} made by other means than migrations:"
        yield from (f"  {each}" for each in phases.drift[:_MOST_LINES])
        if len(phases.drift) > _MOST_LINES:
            yield f"  and {len(phases.drift) - _MOST_LINES} more (--json has all)"


def _whole_path(database: str) -> str:
    """The URL, with the absolute path where that of the file is relative."""
    from service.db.urls import parse_url, sqlite_file

    if not database.startswith("sqlite"):
        return database
    file = sqlite_file(parse_url(database))
    return database if file.is_absolute() else f"{database} ({file.absolute()})"


def _progress(backfill: "BackfillProgress") -> str:
    share = min(100 * backfill.seen // max(backfill.total, 1), 100)
    left = f", about {backfill.seconds_left:,.0f} s left" if backfill.seconds_left is not None else ""
    filled = counted(backfill.filled, "row")
    done = f"Backfill {backfill.name} of {backfill.revision} ({backfill.state}): {share} %, {filled} filled"
    rate = f", {backfill.rows_per_second:,.0f} rows a second{left}"
    return f"{done}{rate}. {f'It stopped: {backfill.problem}.' if backfill.problem else ''}".rstrip()
