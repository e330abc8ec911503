"""The migrator of a rehearsal in a process of its own, which can be killed.

`python -m service.migrate.proof.rehearse.migrator URL CONFIG` takes the commands of `messages` on its standard input.
"""

import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context

import msgspec
from sqlalchemy.exc import DBAPIError

from service.migrate.entrypoints import commands, project
from service.migrate.errors import Refused, reason
from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.killer import Killer
from service.migrate.proof.rehearse.messages import Done, Run
from service.migrate.proof.rehearse.plain import PlainChange


def main(url: str, config: str) -> None:
    project.read(config)
    migrator = Migrator(url, config)
    for line in sys.stdin.buffer:
        run = msgspec.json.decode(line, type=Run)
        if run.seen is None:
            child.answer(migrator.done(run))
        else:
            _in_a_fork(partial(_until_killed, migrator, run, run.seen))


class Migrator:
    """Runs the commands against one database."""

    def __init__(self, url: str, config: str) -> None:
        self.url = url
        change = PlainChange(url, config)
        self._verbs: dict[str, Callable[[Run], object]] = {
            "upgrade": lambda run: commands.upgrade(url, run.revision, config=config, report=_unsaid),
            "backfill": lambda _run: commands.backfill(url, config=config, report=_unsaid),
            "contract": lambda run: commands.contract(url, run.revision, config=config, report=_unsaid),
            "undo": lambda run: commands.contract(url, run.revision, undo=True, config=config, report=_unsaid),
            "plain upgrade": lambda _run: change.up(),
            "plain downgrade": lambda _run: change.down(),
            "downgrade": lambda run: commands.downgrade(url, run.revision, config=config, report=_unsaid),
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
    Killer(migrator.url, seen)
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
