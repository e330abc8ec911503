"""From the revisions that Alembic lists to what is done about each: plain ones as they are, ours in safe steps."""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.db.failures import Cure, cure
from service.migrate import contents, ledger, trash
from service.migrate.applied import adopt_applied
from service.migrate.config import scripts
from service.migrate.errors import Refused
from service.migrate.lock import Report
from service.migrate.phases import Plan, plan
from service.migrate.sqlite import catalog
from service.migrate.sqlite.rebuild import refuse_dangling
from service.migrate.verbs import Verbs
from service.migrate.waiting import pause

TRY_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


def run_until_done(
    context: EnvironmentContext, connection: Connection, steps: "Steps", options: dict[str, Any]
) -> None:
    """Let Alembic go through the revisions; a plain one that met a lock is run again whole."""
    deadline = time.monotonic() + TRY_SECONDS
    inside = steps.verbs.executor.inside
    while True:
        context.configure(fn=steps, on_version_apply=steps.stamped, **options)
        try:
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as failure:
            if inside:
                raise
            connection.rollback()
            if cure(failure) is not Cure.AGAIN or time.monotonic() > deadline:
                raise Refused(f"{steps.now} was not done, and nothing of it was kept: {failure.orig}.") from failure
            steps.report(f"{steps.now} gave way to other work and is tried again: {failure.orig}.")
            pause(connection, _PAUSE_SECONDS * random.uniform(0.5, 1.5))
        else:
            return


class Steps:
    """The revisions to run, found once: what a failed try left undone goes on where it stopped."""

    def __init__(
        self,
        find: Callable[..., Iterable[Any]],
        done: list[str],
        report: Report,
        verbs: Verbs,
        *,
        takes_back: bool = False,
    ) -> None:
        """`takes_back` says that the command is a downgrade, whether or not a whole revision is to go."""
        self.report = report
        self._takes_back = takes_back
        self.verbs = verbs
        self._find = find
        self._done = done
        self._left: list[Any] | None = None
        self._dangling: Counter[str] = Counter()
        self._whole = False

    @property
    def now(self) -> str:
        return _described(self._left[0]) if self._left else "Reading the database's revision"

    def __call__(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
        if self._left is None:
            _refuse_unknown(heads, context)
            self._left = list(self._find(heads, context))
            takes_back = self._takes_back or (bool(self._left) and self._left[0].is_downgrade)
            if self._left or takes_back:
                self._begin(heads, context)
            if takes_back:
                self._undo_half_done(_ancestors(context, heads))
        while self._left:
            step = self._left[0]
            if not step.info.is_stamp:
                self._prepare(step)
            # Alembic comes back for the next one when this one is committed.
            yield step
            self._left.pop(0)
            self._done.append(step.info.up_revision_id)
            self.report(f"{_described(step)}: done.")
        self._end()

    def stamped(self, ctx: MigrationContext, step: Any, heads: Collection[Any], run_args: object) -> None:  # noqa: ARG002
        """Refuse to commit rows that point at nothing, and write down what was applied, with Alembic's own stamp."""
        connection = self._connection
        if ctx.dialect.name == "sqlite":
            refuse_dangling(catalog.dangling_rows(connection) - self._dangling)
        if step.is_stamp or not step.is_upgrade:
            for revision in ledger.known(connection) - _ancestors(ctx, tuple(heads)):
                ledger.forget(connection, revision)
        elif step.up_revision is not None:
            ledger.remember(connection, step.up_revision.revision, contents.content(step.up_revision))

    @property
    def _connection(self) -> Connection:
        return self.verbs.executor.connection

    def _begin(self, heads: tuple[str, ...], context: MigrationContext) -> None:
        executor = self.verbs.executor
        if not executor.inside:
            # Alembic may just have made its table.
            self._connection.commit()
        self.verbs.begin()
        with executor.transaction():
            if self._connection.dialect.name == "sqlite":
                self._dangling = catalog.dangling_rows(self._connection)
            unused = not heads and not trash.kept(self._connection) and not ledger.all_done(self._connection)
            self._whole = ledger.is_made_whole(self._connection) or unused
            if unused:
                ledger.make_whole(self._connection)
        adopt_applied(executor, _ancestors(context, heads))

    def _end(self) -> None:
        if self._left is not None and self._whole:
            with self.verbs.executor.transaction():
                ledger.end_whole(self._connection)
            self._whole = False

    def _undo_half_done(self, applied: set[str]) -> None:
        """Take back the revision that an upgrade began and did not end."""
        with self.verbs.executor.transaction():
            begun = ledger.known(self._connection) - applied
        for script in scripts().walk_revisions():
            found = plan(script, self._connection.dialect.name) if script.revision in begun else None
            if found is not None:
                self.verbs.undo(found)
                with self.verbs.executor.transaction():
                    ledger.forget(self._connection, found.revision)
                self.report(f"Take back what was done of {found.revision}: done.")

    def _prepare(self, step: Any) -> None:
        """Do the work of one of our revisions here, between Alembic's transactions; Alembic stamps it."""
        script: Script = step.revision
        found = plan(script, self._connection.dialect.name)
        if found is None:
            return
        if step.is_upgrade and self._whole:
            self._make_whole(found)
        elif step.is_upgrade:
            self.verbs.expand(found)
        else:
            self.verbs.undo(found)
        step.migration_fn = _nothing

    def _make_whole(self, found: Plan) -> None:
        executor = self.verbs.executor
        if executor.inside:
            self.verbs.whole(found)
            return
        self._connection.rollback()
        # One transaction for all of it and for Alembic's stamp, which is written into the one that is open.
        self._connection.begin()
        executor.inside = executor.unused = True
        try:
            self.verbs.whole(found)
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            executor.inside = executor.unused = False


def _nothing(**_: Any) -> None:
    pass


def _refuse_unknown(heads: tuple[str, ...], context: MigrationContext) -> None:
    for head in heads:
        try:
            known = context.script and context.script.get_revision(head)
        except CommandError:
            known = None
        if known is None:
            raise Refused(
                f"The database is at revision {head}, which this code does not know: newer code upgraded it. "
                "Run this with that code."
            )


def _ancestors(context: MigrationContext, heads: tuple[str, ...]) -> set[str]:
    """The revisions that a database at these heads has."""
    if not heads or context.script is None:
        return set()
    return {script.revision for script in context.script.iterate_revisions(heads, "base")}


def _described(step: Any) -> str:
    info = step.info
    verb = "Stamp" if info.is_stamp else "Upgrade to" if info.is_upgrade else "Downgrade from"
    return f"{verb} {info.up_revision_id}"
