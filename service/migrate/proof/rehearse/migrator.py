"""The migrator of a rehearsal in a process of its own, which can be killed.

`python -m service.migrate.proof.rehearse.migrator URL CONFIG` takes the commands of `messages` on its standard input.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from service.migrate.entrypoints import commands, project
from service.migrate.errors import Refused, reason
from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.messages import Done, Run
from service.migrate.proof.rehearse.plain import PlainChange

# What changes nothing is no step.
_READS = ("SELECT", "SET", "SHOW", "RESET", "PRAGMA", "BEGIN", "WITH")


class Killer:
    """Kills this process before the first COMMIT of statements that no earlier process was killed at."""

    def __init__(self) -> None:
        self.seen: set[str] | None = None
        self._said: list[str] = []
        event.listen(Engine, "before_cursor_execute", self._hear)
        event.listen(Engine, "commit", self._meet)
        event.listen(Engine, "rollback", self._forget)

    def _hear(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().startswith(_READS):
            self._said.append(" ".join(statement.split()))

    def _forget(self, _connection: Connection) -> None:
        self._said.clear()

    def _meet(self, _connection: Connection) -> None:
        # The ledger alone is written before and after a step, in the same words for all steps.
        said = [each for each in self._said if "migration_" not in each]
        self._said.clear()
        at = "; ".join(said)[:500]
        if self.seen is None or not at or at in self.seen:
            return
        child.answer(Done(killed_at=at))
        os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, config: str) -> None:
    project.read(config)
    killer, change = Killer(), PlainChange(url, config)
    verbs: dict[str, Callable[[Run], object]] = {
        "upgrade": lambda run: commands.upgrade(url, run.revision, config=config, report=_unsaid),
        "backfill": lambda _run: commands.backfill(url, config=config, report=_unsaid),
        "contract": lambda run: commands.contract(url, run.revision, config=config, report=_unsaid),
        "undo": lambda run: commands.contract(url, run.revision, undo=True, config=config, report=_unsaid),
        "plain upgrade": lambda _run: change.up(),
        "plain downgrade": lambda _run: change.down(),
        "downgrade": lambda run: commands.downgrade(url, run.revision, config=config, report=_unsaid),
    }
    for line in sys.stdin.buffer:
        run = msgspec.json.decode(line, type=Run)
        killer.seen = None if run.seen is None else set(run.seen)
        began, error = time.monotonic(), ""
        try:
            verbs[run.command](run)
        except Refused as refused:
            error = str(refused)
        except DBAPIError as failure:
            # A plain change has no refusals.
            error = reason(failure)
        child.answer(Done(error=error, seconds=round(time.monotonic() - began, 3)))


def _unsaid(_sentence: str) -> None:
    """A rehearsal reports what the callers felt, not the steps."""


if __name__ == "__main__":
    main(*sys.argv[1:])
