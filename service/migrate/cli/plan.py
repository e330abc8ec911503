"""`plan`."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import click

from service.db.counting import counted
from service.migrate.cli import options
from service.migrate.cli.options import target_of
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.proof.forecast.forecast import Forecast
    from service.migrate.proof.forecast.planned import Planned
    from service.migrate.proof.forecast.tables import Table

# A shorter stall of SQLite's writers is as long as a usual transaction.
_NOTED_SECONDS = 0.1
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@click.command()
@click.option(
    "--phase",
    "phases",
    type=click.Choice(["upgrade", "backfill", "contract"]),
    multiple=True,
    help="Only this phase; may be repeated.",
)
@click.option("--downgrade", metavar="REVISION", help="The downgrade to this revision, or to base.")
@click.option(
    "--count-seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0.01),
    help="Give up counting the rows of a table after this time, and estimate.",
)
@options.scratch_server
@click.option("--sql", "with_sql", is_flag=True, help="Print the statements of each step, too.")
@output
@database
def plan(
    url: str | None,
    phases: tuple[str, ...],
    downgrade: str | None,
    count_seconds: float,
    server: str | None,
    *,
    with_sql: bool,
    output: Output,
) -> None:
    """Show what the pending phases would do to a database.

    For each step the lock and who waits for it, the rows to fill and the predicted duration; then the sizes of the
    tables, the rows that would make a step fail, and the long transactions that are in the way now. The database is
    only read. A revision in Alembic's plain style is run in an empty scratch database, for its statements and locks.

    The exit status is 0 if nothing is in the way, 1 if a step would fail, 2 for wrong usage.
    """
    from service.db.urls import shown
    from service.migrate.entrypoints import project
    from service.migrate.errors import Unusable
    from service.migrate.proof.forecast.actions import Stretch
    from service.migrate.proof.forecast.forecast import Forecaster

    if phases and downgrade:
        raise Unusable("--phase is for pending phases and cannot be combined with --downgrade.")
    target = target_of(url)
    found_url = project.locate(target.url, target.config)()
    forecaster = Forecaster(config=target.config, count_seconds=count_seconds, server=server)
    found = forecaster.run(found_url, stretches=[Stretch(each) for each in phases], downgrade=downgrade)
    where = shown(found_url)
    output.write({"database": where, "fails": found.fails, **asdict(found)}, _lines(found, where, with_sql=with_sql))
    click.get_current_context().exit(1 if found.fails else 0)


def _lines(found: "Forecast", where: str, *, with_sql: bool) -> Iterator[str]:
    at = " and ".join(found.current) or "no revision"
    fails = sum(each.is_certain for each in found.obstacles)
    verdict = f"{counted(fails, 'obstacle')}" if fails else "nothing in the way"
    yield f"{where} at {at}: {counted(len(found.planned), 'action')} to run, {verdict}."
    if found.is_unused:
        yield "The database is unused: upgrade runs all phases at once, without waiting for requests."
    for each in found.obstacles:
        mark = "WOULD FAIL" if each.is_certain else "MAY FAIL"
        yield f"{mark}  {each.revision}, {each.phase}: {each.what}"
    yield from (f"IN THE WAY  {each}" for each in found.blockers)
    for (phase, revision), group in groupby(found.planned, key=lambda each: (each.phase, each.revision)):
        actions = list(group)
        yield ""
        yield f"{phase} {revision}{_sum(actions)}"
        for planned in actions:
            yield from _action(planned, with_sql=with_sql)
    if found.tables:
        yield ""
        yield from (_table(each) for each in found.tables)


def _sum(actions: "list[Planned]") -> str:
    known = [each.seconds for each in actions if each.seconds is not None]
    if not known:
        return ", duration unknown"
    return f", {'about' if len(known) == len(actions) else 'at least'} {_duration(sum(known))}"


def _action(planned: "Planned", *, with_sql: bool) -> Iterator[str]:
    seconds = "?" if planned.seconds is None else _duration(planned.seconds)
    rows = ""
    if planned.rows is not None:
        rows = f"; {'' if planned.is_exact else 'about '}{counted(planned.rows, 'row')}"
    held = ", ".join(planned.locks) or f"{planned.mode} on {', '.join(planned.tables)}"
    lock = f"; {held}: {planned.blocks}" if planned.mode else ""
    stall = "; writers wait as long" if planned.stall_seconds >= _NOTED_SECONDS else ""
    yield f"{seconds:>9}  {planned.title}{rows}{lock}{stall}"
    if with_sql:
        yield from (f"             {line}" for statement in planned.statements for line in f"{statement};".splitlines())


def _table(table: "Table") -> str:
    size = "" if table.bytes is None else f", {_bytes(table.bytes)}"
    return f"{table.name}: {'' if table.is_exact else 'about '}{counted(table.rows, 'row')}{size}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _bytes(size: float) -> str:
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}"
