"""Running a command of the migrator: its report, its progress and its result."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from service.db.counting import counted
from service.migrate.cli.options import Target
from service.migrate.cli.status import read_status, what_is_left
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.run.backfill.runner import Progress


@contextmanager
def reported(output: Output) -> Iterator[dict[str, Any]]:
    """Arguments of a migrator's command that print its report, and the progress of a backfill; nothing with --json."""
    from service.terminal.progress import progress

    if output.as_json:
        yield {"report": lambda _sentence: None}
        return
    with progress() as show:

        def watch(state: "Progress") -> None:
            figures = f"{counted(state.filled, 'row')}, {state.per_second:,.0f}/s"
            show(state.name, state.seen, max(state.total, 1), figures)

        yield {"report": click.echo, "watch": watch}


def run(command: Callable[..., list[str]], output: Output, **waits: float) -> tuple[list[str], float]:
    """Run a command of the migrator; return what the command returns, and the seconds it took."""
    from service.migrate.run.locking.limits import WaitLimits

    began = time.monotonic()
    with reported(output) as how:
        done = command(**how, wait_limits=WaitLimits(**waits))
    return done, round(time.monotonic() - began, 3)


def run_phase(command: Callable[..., list[str]], output: Output, verb: str, nothing: str, **waits: float) -> None:
    """Run a phase and print what it did: the verb and the revisions, or that there was nothing to do."""
    done, seconds = run(command, output, **waits)
    sentence = f"{verb.capitalize()} {', '.join(done)}, in {seconds:.1f} s." if done else f"{nothing}."
    output.write({verb: done, "seconds": seconds}, [sentence])


def run_revisions(command: Callable[..., list[str]], output: Output, target: Target, verb: str, **waits: float) -> None:
    """Upgrade or downgrade, and print the database's revision and the phases that are pending."""
    done, seconds = run(command, output, **waits)
    found = read_status(target)
    place = f"at {' and '.join(found.current)}" if found.current else "empty"
    sentence = f"The database is {place}{f', after {seconds:.1f} s' if done else '; there was nothing to do'}."
    document = {verb: done, "current": found.current, "seconds": seconds}
    output.write(document, [sentence, *what_is_left(found)])
