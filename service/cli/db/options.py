"""What the commands of `roster db` share: options, the database they mean, and how a run is watched."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.db.counting import counted

if TYPE_CHECKING:
    from service.migrate.run.backfill.runner import Progress

F = TypeVar("F", bound=Callable[..., Any])

LINE_SECONDS = 5.0


def _remember(context: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url:
        context.obj = url


_remembered: dict[str, Any] = {"expose_value": False, "callback": _remember}
_database = click.option(
    "--database",
    metavar="URL",
    help="The database, instead of the one that ROSTER_MIGRATE_URL or ROSTER_DATABASE_URL names.",
    **_remembered,
)
# The name that this option had at first.
_url = click.option("--url", hidden=True, **_remembered)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
as_sql = click.option("--sql", "as_sql", is_flag=True, help="Print the SQL for PostgreSQL; run nothing.")
# Taken, and refused with the command that is right.
no_sql = click.option("--sql", "as_sql", is_flag=True, hidden=True)
_lock_wait = click.option(
    "--lock-wait",
    "lock_wait_seconds",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0.001, 0.9),
    metavar="SECONDS",
    help="Seconds to wait for one lock (lock_timeout); requests queued behind it wait as long.",
)
_deadline = click.option(
    "--deadline",
    "deadline_seconds",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Seconds until a step that cannot get its lock fails.",
)


def database(command: F) -> F:
    """Give a command the option --database, whose URL becomes the object of the context."""
    return _database(_url(command))


def wait_limits(command: F) -> F:
    """Give a command the options about waiting; `patient` makes what the runner takes of them."""
    return _lock_wait(_deadline(command))


def patient(waits: dict[str, float]) -> dict[str, Any]:
    from service.migrate.run.locking.limits import WaitLimits

    return {"wait_limits": WaitLimits(**waits)}


def resolved(url: str | None) -> str:
    """The database that a command means."""
    from service.db.database import direct_url
    from service.settings import Settings

    return url or direct_url(Settings.from_env())


def print_sql(text: str, *, as_json: bool) -> None:
    """Print a script; with --json as the field `sql` of a document."""
    if as_json:
        print_json({"sql": text})
    else:
        click.echo(text, nl=False)


def print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, default=str))


@contextmanager
def watched(*, as_json: bool) -> Iterator[dict[str, Any]]:
    """What the runner tells: sentences on standard output, and the progress of a backfill on standard error.

    A bar for a person who watches, a line now and then for a log, nothing for a program.
    """
    if as_json:
        yield {"report": _tell_nobody}
    elif sys.stderr.isatty():
        with _bar() as watch:
            yield {"report": click.echo, "watch": watch}
    else:
        yield {"report": click.echo, "watch": _Lines()}


class _Lines:
    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, progress: "Progress") -> None:
        if time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            share = min(100 * progress.seen // max(progress.total, 1), 100)
            told = f"{share} %, {counted(progress.filled, 'row')} filled, {progress.per_second:,.0f} rows a second"
            click.echo(f"{progress.name}: {told}", err=True)


@contextmanager
def _bar() -> Iterator[Callable[["Progress"], None]]:
    from rich.progress import TaskID

    from service.cli import progress

    with progress.bars() as bars:
        tasks: dict[str, TaskID] = {}

        def watch(state: "Progress") -> None:
            if state.name not in tasks:
                tasks[state.name] = bars.add_task(state.name, total=max(state.total, 1), figures="")
            figures = f"{counted(state.filled, 'row')}, {state.per_second:,.0f}/s"
            bars.update(tasks[state.name], completed=state.seen, figures=figures)

        yield watch


def _tell_nobody(_sentence: str) -> None:
    pass
