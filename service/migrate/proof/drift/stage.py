"""How far the revisions of a database are: which are complete, and which are only applied, or only filled."""

from collections.abc import Callable
from dataclasses import dataclass

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.migrate.entrypoints import commands
from service.migrate.entrypoints.status import read_phases
from service.migrate.plan import graph
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.plan import plan
from service.migrate.state.compatibility import refuse_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The revisions of a database, oldest first, and those of them whose backfill or contract is pending.

    `incomplete` are those that an upgrade or a downgrade began and did not end.
    """

    heads: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    to_fill: frozenset[str] = frozenset()
    to_contract: frozenset[str] = frozenset()
    incomplete: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether the revisions leave nothing behind that a later phase removes."""
        return not (self.to_fill or self.to_contract or self.incomplete)


def read(connection: Connection, directory: ScriptDirectory) -> Stage:
    """The stage of a database.

    Raises:
        Refused: the database is at a revision that has no script.
    """
    heads = tuple(sorted(MigrationContext.configure(connection).get_current_heads()))
    refuse_unknown(connection, heads, directory)
    left = read_phases(connection, heads, directory)
    order = graph.oldest_first(directory, graph.with_ancestors(directory, heads))
    return Stage(
        heads=heads,
        applied=tuple(each.revision for each in order),
        to_fill=frozenset(left.backfill),
        to_contract=frozenset(left.contract),
        incomplete=left.incomplete,
    )


def make(url: str, stage: Stage, config: Source | None, show: Callable[[int, int, str], None]) -> None:
    """Bring an empty database to the stage; `show` is called before each revision.

    Raises:
        Refused: a revision fails on an empty database.
    """
    directory = scripts(config)
    dialect = "sqlite" if url.startswith("sqlite") else "postgresql"
    whole = _complete(stage, directory)
    if whole:
        show(0, len(stage.applied), whole[-1])
        commands.upgrade(url, whole[-1], config=config, report=_unsaid)
    for number, revision in enumerate(stage.applied[len(whole) :], start=len(whole)):
        show(number, len(stage.applied), revision)
        commands.upgrade(url, revision, config=config, report=_unsaid)
        found = plan(directory.get_revision(revision), dialect)
        if found is None or not stage.to_fill.isdisjoint(stage.applied[: number + 1]):
            continue
        commands.backfill(url, config=config, report=_unsaid)
        if found.contract and revision not in stage.to_contract:
            commands.contract(url, revision, config=config, report=_unsaid)


def _complete(stage: Stage, directory: ScriptDirectory) -> tuple[str, ...]:
    """The longest beginning of the history that is complete, and is all that its last revision builds on."""
    pending = stage.to_fill | stage.to_contract
    first = next((at for at, each in enumerate(stage.applied) if each in pending), len(stage.applied))
    for end in range(first, 0, -1):
        if len(graph.with_ancestors(directory, [stage.applied[end - 1]])) == end:
            return stage.applied[:end]
    return ()


def _unsaid(_sentence: str) -> None:
    """The steps in a scratch database are of no interest."""
