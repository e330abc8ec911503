"""Plain revisions tried in a scratch database: their statements, and on PostgreSQL the locks that each takes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_stack
from typing import Any

from alembic.script import Script
from alembic.util import to_tuple
from sqlalchemy import Connection, Engine, event

from service.migrate.entrypoints import commands
from service.migrate.errors import Refused, Unusable
from service.migrate.plan.config import Source
from service.migrate.proof import scratch
from service.migrate.proof.drift.copies import Surroundings, beside
from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.revisions import RevisionTracer
from service.migrate.proof.verify.rows import Rows
from service.migrate.proof.verify.verify import unsaid

_UNSHOWN = ("PRAGMA", "SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The statements of one plain revision, in order; `why` says what kept the rest from being tried.

    `has_failed` says that it is the revision itself that failed there.
    """

    observed: tuple[Observed, ...] = ()
    why: str = ""
    has_failed: bool = False


def tried(
    scripts: Sequence[Script], like: Surroundings, config: Source | None, server: str | None, *, is_down: bool
) -> dict[str, Trial]:
    """The trial of each revision, in a database like the one that it is planned for."""
    if not scripts:
        return {}
    try:
        with ExitStack() as stack:
            empty = stack.enter_context(beside(like, server))
            if like.dialect == "sqlite":
                return {each.revision: _on_sqlite(each, config, is_down=is_down) for each in scripts}
            tracer = RevisionTracer(server="", rows=Rows(seed=0, count=10), config=config, empty=empty)
            found = tracer.run_one_way([each.revision for each in scripts], is_down=is_down)
            return {
                each.revision: Trial(observed=each.observed, why=each.refused, has_failed=bool(each.refused))
                for each in found
            }
    except Unusable as unusable:
        return {each.revision: Trial(why=str(unusable)) for each in scripts}


def _on_sqlite(script: Script, config: Source | None, *, is_down: bool) -> Trial:
    parents = to_tuple(script.down_revision, default=())
    below = parents[0] if len(parents) == 1 else "base"
    found: list[str] = []
    with scratch.sqlite_file() as url:
        try:
            for parent in parents:
                commands.upgrade(url, parent, config=config, report=unsaid)
            if is_down:
                commands.upgrade(url, script.revision, config=config, report=unsaid)
            with _sent_from(Path(script.path).parent, found):
                if is_down:
                    commands.downgrade(url, below, config=config, report=unsaid)
                else:
                    commands.upgrade(url, script.revision, config=config, report=unsaid)
        except Refused as refused:
            return Trial(observed=_observed(found), why=str(refused), has_failed=True)
    return Trial(observed=_observed(found))


def _observed(texts: Sequence[str]) -> tuple[Observed, ...]:
    # SQLite has one lock: a statement that writes keeps other writers waiting.
    return tuple(Observed(statement=text) for text in texts)


@contextmanager
def _sent_from(folder: Path, found: list[str]) -> Iterator[None]:
    """Collect the statements that code in the folder sends, but for queries of the schema."""

    def sent(_connection: Connection, _cursor: object, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(_UNSHOWN):
            return
        if any(Path(frame.f_code.co_filename).parent == folder for frame, _ in walk_stack(None)):
            found.append(statement.strip())

    event.listen(Engine, "before_cursor_execute", sent)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", sent)
