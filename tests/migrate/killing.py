"""A migrator that kills itself before and after each of its commits, and is run again.

python -m tests.migrate.killing FOLDER URL COMMAND…, a command being one of entrypoints.commands with its arguments.
The command runs in child processes until one completes; each is killed at the first boundary at which no earlier child
was killed. With `@N`, one child is killed at boundary N. With `!` before it, the command runs in this process and is
not killed, which makes what it imports and compiles ready for every child. Another URL is the database of the commands
after it. Prints the number of kills and, for the command `catalog`, the catalog as JSON.
"""

import asyncio
import gc
import json
import os
import re
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

import service.models  # noqa: F401 - by env.py
from service.migrate import naming
from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import status as read_status
from service.migrate.plan import config
from service.migrate.plan.plan import plan
from service.naming import ROSTER
from tests.alembic.catalog import catalog
from tests.alembic.store import opened

# What changes nothing is no boundary; and whatever differs between two runs is left out of its name.
_READS = ("SELECT", "SET", "SHOW", "RESET", "PRAGMA", "BEGIN")
_NAMED = ("migration_steps", "migration_fills")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d ")


class Boundaries:
    """What was said in the transaction that is open, and where to be killed."""

    def __init__(self, seen: set[str], pipe: int, skip: int) -> None:
        self._seen = seen
        self._pipe = pipe
        self._skip = skip
        self._said: list[str] = []

    def watch(self) -> None:
        event.listen(Engine, "before_cursor_execute", self._hear)
        event.listen(Engine, "after_cursor_execute", self._hear_end)
        event.listen(Engine, "rollback", self._forget)
        commit = DefaultDialect.do_commit

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            boundary = " | ".join(self._said)
            # Where the ledger alone is written, it is as after the commit before.
            if not all("migration_" in each for each in self._said):
                self._meet("before", boundary)
            self._said.clear()
            commit(dialect, connection)  # type: ignore[no-untyped-call]
            self._meet("after", boundary)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]

    def _forget(self, _connection: Connection) -> None:
        self._said.clear()

    def _hear(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "CONCURRENTLY" in statement:
            self._meet("before", statement)
        elif not statement.startswith(_READS):
            is_named = any(name in statement for name in _NAMED)
            self._said.append(" ".join([statement, *(_names(parameters) if is_named else [])]))

    def _hear_end(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "CONCURRENTLY" in statement:
            self._meet("after", statement)

    def _meet(self, side: str, boundary: str) -> None:
        name = f"{side} {boundary}"
        if not boundary or name in self._seen:
            return
        self._skip -= 1
        if self._skip < 0:
            os.write(self._pipe, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def _names(parameters: Any) -> list[str]:
    """The texts among the values, of which SQLite has moments too."""
    flat = [each for part in parameters for each in (part if isinstance(part, tuple) else (part,))]
    return [each for each in flat if isinstance(each, str) and not _MOMENT.match(each)]


def call(url: str, command: str) -> None:
    name, *arguments = command.split()
    undo = {"undo": True} if "--undo" in arguments else {}
    getattr(commands, name)(url, *(each for each in arguments if each != "--undo"), **undo)


def run_until_done(url: str, command: str, seen: set[str]) -> int:
    """Return how often it was killed."""
    killed = 0
    while boundary := run_killed(url, command, seen):
        seen.add(boundary)
        killed += 1
    return killed


def run_killed(url: str, command: str, seen: set[str], skip: int = 0) -> str | None:
    """Run it in a child, and return the boundary at which that was killed; `None` if it came to its end."""
    reading, writing = os.pipe()
    # A child has a copy of each page that it writes to, and the collector writes to all.
    gc.freeze()
    if not (child := os.fork()):
        gc.disable()
        Boundaries(seen, writing, skip).watch()
        call(url, command)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        boundary = pipe.read().decode()
    if not os.WIFSIGNALED(status := os.waitpid(child, 0)[1]) and status:
        sys.exit(f"{command}: failed")
    return boundary or None


async def read_catalog(url: str) -> list[str]:
    async with opened(url) as store:
        return await catalog(store)


def main(folder: str, url: str, *given: str) -> None:
    naming.use(ROSTER)
    naming.use_files(Path(folder) / "alembic.ini")
    # What is imported and read once is there for every child.
    asyncio.run(read_status(url))
    for script in config.scripts().walk_revisions():
        plan(script, "sqlite" if url.startswith("sqlite") else "postgresql")
    if not any(command.startswith("!") for command in given):
        with TemporaryDirectory() as scratch:
            commands.upgrade(f"sqlite:///{scratch}/scratch.db")
    seen: set[str] = set()
    for command in given:
        if "://" in command:
            url = command
        elif (told := run(url, command, seen)) is not None:
            sys.stdout.write(f"{json.dumps(told)}\n")


def run(url: str, command: str, seen: set[str]) -> int | list[str] | None:
    """What is printed of the command: how often it was killed, or the catalog."""
    if command == "catalog":
        return asyncio.run(read_catalog(url))
    if command.startswith("!"):
        call(url, command[1:])
        gc.collect()
        return None
    if "@" in command:
        name, number = command.split("@")
        return int(run_killed(url, name, set(), int(number)) is not None)
    return run_until_done(url, command, seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
