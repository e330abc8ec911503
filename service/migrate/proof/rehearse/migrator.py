"""The migrator of a rehearsal in a process of its own, which can be killed.

`python -m service.migrate.proof.rehearse.migrator CONFIG` takes the commands of `messages` on its standard input.
"""

import signal
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from multiprocessing import get_context

import msgspec
from sqlalchemy.exc import DBAPIError

from service.migrate.entrypoints import commands, project
from service.migrate.errors import Refused, reason
from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.killer import Killer
from service.migrate.proof.rehearse.messages import Done, Run
from service.migrate.proof.rehearse.plain import PlainChange


def main(config: str) -> None:
    project.read(config)
    migrator = Migrator(config)
    for line in sys.stdin.buffer:
        run = msgspec.json.decode(line, type=Run)
        if run.seen is None:
            child.answer(migrator.done(run))
        else:
            _in_a_fork(partial(_until_killed, migrator, run, run.seen))


class Migrator:
    """Runs the commands against the databases that they name."""

    def __init__(self, config: str) -> None:
        change = cache(lambda url: PlainChange(url, config))
        self._verbs: dict[str, Callable[[Run], object]] = {
            "upgrade": lambda run: commands.upgrade(run.url, run.revision, config=config, report=_unsaid),
            "backfill": lambda run: commands.backfill(run.url, config=config, report=_unsaid),
            "contract": lambda run: commands.contract(run.url, run.revision, config=config, report=_unsaid),
            "undo": lambda run: commands.contract(run.url, run.revision, undo=True, config=config, report=_unsaid),
            "plain upgrade": lambda run: change(run.url).up(),
            "plain downgrade": lambda run: change(run.url).down(),
            "downgrade": lambda run: commands.downgrade(run.url, run.revision, config=config, report=_unsaid),
        }

    def done(self, run: Run) -> Done:
        """Run a command to its end."""
        began, error = time.monotonic(), ""
        try:
            self._verbs[run.command](run)
        except Refused as refused:
            error = str(refused)
        except DBAPIError as failure:
            # A plain change has no refusals.
            error = reason(failure)
        return Done(error=error, seconds=round(time.monotonic() - began, 3))


def _until_killed(migrator: Migrator, run: Run, seen: tuple[str, ...]) -> None:
    Killer(run.url, seen)
    child.answer(migrator.done(run))


def _in_a_fork(work: Callable[[], None]) -> None:
    """Do something in a copy of this process, which has imported everything, and wait until the copy has ended."""
    process = get_context("fork").Process(target=work)
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise SystemExit(1)


def _unsaid(_sentence: str) -> None:
    """A rehearsal reports what the callers felt, not the steps."""


if __name__ == "__main__":
    main(*sys.argv[1:])
