"""The migrators of a rehearsal, and the faults that they have to survive."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from service.migrate.proof.rehearse.child import Child, Ended
from service.migrate.proof.rehearse.messages import Done, Run
from service.migrate.proof.server import Server

_ATTEMPTS = 5
_BEFORE_RESTART_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What happens during each run: kills of the migrator, several migrators, a foreign transaction, a restart."""

    kill: bool = False
    migrators: int = 1
    long_transaction_seconds: float | None = None
    restart: bool = False

    @property
    def is_any(self) -> bool:
        return self != Faults()


@dataclass(kw_only=True)
class Outcome:
    """The end of some runs: the last error, the seconds until the end, and at what the migrator was killed."""

    error: str = ""
    seconds: float = 0.0
    killed_at: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Migrators:
    """Runs commands on a database, in as many of the migrator's processes as the faults ask for.

    `server` is the one that can be restarted.
    """

    url: str
    children: Sequence[Child]
    faults: Faults
    server: Server | None

    def run(self, runs: tuple[Run, ...]) -> Outcome:
        """Run commands one after another, up to the first that fails."""
        outcome = Outcome()
        began = time.monotonic()
        for run in runs:
            outcome.error = self._run_with_faults(msgspec.structs.replace(run, url=self.url), outcome)
            if outcome.error:
                break
        outcome.seconds = time.monotonic() - began if runs else 0.0
        return outcome

    def _run_with_faults(self, run: Run, outcome: Outcome) -> str:
        if self.faults.kill:
            return self._run_and_kill(run, outcome)
        if self.faults.restart and run.command == "backfill" and self.server is not None:
            return self._run_and_restart(run, self.server)
        return self._run(run)

    def _run(self, run: Run) -> str:
        children = self.children[: self.faults.migrators]
        for each in children:
            each.tell(run)
        errors = []
        for each in children:
            try:
                errors.append(each.answer(Done).error)
            except Ended as ended:
                errors.append(f"the process ended: {str(ended)[-500:]}")
        return next(filter(None, errors), "")

    def _run_and_kill(self, run: Run, outcome: Outcome) -> str:
        """Run the command again and again, each time to a point of no earlier kill, until it comes to its end."""
        seen: tuple[str, ...] = ()
        while True:
            try:
                done = self.children[0].ask(msgspec.structs.replace(run, seen=seen), Done)
            except Ended as ended:
                return f"the process ended: {str(ended)[-500:]}"
            if not done.killed_at:
                return done.error
            outcome.killed_at.append(done.killed_at)
            seen = (*seen, done.killed_at)

    def _run_and_restart(self, run: Run, server: Server) -> str:
        """Restart the server while the command runs, and run the command again if it failed."""
        self.children[0].tell(run)
        time.sleep(_BEFORE_RESTART_SECONDS)
        server.stop()
        server.start()
        error = self.children[0].answer(Done).error
        for _ in range(_ATTEMPTS):
            if not error:
                break
            error = self.children[0].ask(run, Done).error
        return error
