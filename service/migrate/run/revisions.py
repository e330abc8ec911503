"""From the revisions that Alembic lists to what is done about each: plain ones as they are, ours in safe steps."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.db.backoff import Backoff
from service.db.failures import Cure, cure
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.rebuild import refuse_dangling
from service.migrate.errors import Refused, reason
from service.migrate.plan.checksum import checksum
from service.migrate.plan.context import Context
from service.migrate.plan.plan import Plan, plan
from service.migrate.plan.revisions import below, plans
from service.migrate.run.baseline import adopt_applied
from service.migrate.run.existing import refuse_tables_there
from service.migrate.run.locking.waiting import pause
from service.migrate.run.phases import PhaseRunner
from service.migrate.run.retry import write_down
from service.migrate.run.session import Session
from service.migrate.state import ledger, trash
from service.migrate.state.compatibility import refuse_unknown

TRY_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


def run_until_done(context: Context, connection: Connection, runner: "RevisionRunner", options: dict[str, Any]) -> None:
    """Let Alembic go through the revisions; a plain one that met a lock is run again whole."""
    backoff = Backoff(first=_PAUSE_SECONDS, longest=_PAUSE_SECONDS, deadline_seconds=TRY_SECONDS)
    inside = runner.session.inside
    while True:
        context.configure(fn=runner, on_version_apply=runner.stamped, **options)
        try:
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as failure:
            if inside:
                raise
            connection.rollback()
            told = reason(failure)
            if cure(failure) is not Cure.AGAIN or backoff.seconds_left < 0:
                raise Refused(f"{runner.now} was not done, and nothing of it was kept: {told}.") from failure
            runner.session.report(f"{runner.now} gave way to other work and is tried again: {told}.")
            pause(connection, backoff.pause())
        else:
            return


@dataclass(kw_only=True)
class Command:
    """What Alembic's command is, and how it finds the revisions between the database's and the one that is wanted."""

    find: Callable[..., Iterable[Any]]
    wanted: Any

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Command":
        return cls(find=options["fn"], wanted=options["destination_rev"])

    @property
    def is_upgrade(self) -> bool:
        """Known by the name of Alembic's own function: with no revision between, nothing else tells."""
        return self.find.__name__ == "upgrade"

    @property
    def is_downgrade(self) -> bool:
        return self.find.__name__ == "downgrade"

    @property
    def is_stamp(self) -> bool:
        """Whether the database is declared to be right as it is."""
        return self.find.__name__ == "do_stamp"

    @property
    def counts_from_here(self) -> bool:
        """Whether so many steps down are wanted, and no revision is named."""
        return self.is_downgrade and str(self.wanted).startswith("-")


@dataclass(kw_only=True)
class RevisionRunner:
    """The revisions to run, found once: what a failed try left undone goes on where it stopped."""

    command: Command
    done: list[str]
    phases: PhaseRunner
    _left: list[Any] | None = field(default=None, init=False)
    _dangling: Counter[str] = field(default_factory=Counter, init=False)
    _whole: bool = field(default=False, init=False)

    @property
    def session(self) -> Session:
        return self.phases.session

    @property
    def now(self) -> str:
        return _described(self._left[0]) if self._left else "Reading the database's revision"

    def __call__(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
        if self._left is None:
            self._left = self._found(heads, context)
        while self._left:
            step = self._left[0]
            if not step.info.is_stamp:
                self._prepare(step)
            # Alembic comes back for the next one when this one is committed.
            yield step
            self._left.pop(0)
            self.done.append(step.info.up_revision_id)
            self.session.report(f"{_described(step)}: done.")

    def stamped(self, ctx: MigrationContext, step: Any, heads: Collection[Any], run_args: object) -> None:  # noqa: ARG002
        """Refuse to commit rows that point at nothing, and write down what was applied, with Alembic's own stamp."""
        connection = self.session.connection
        if not self.session.inside:
            self.session.lease.renew(connection)
        if ctx.dialect.name == "sqlite":
            refuse_dangling(catalog.dangling_rows(connection) - self._dangling)
        if step.is_stamp:
            ledger.audit(connection, [ledger.Entry(revision=each, phase=ledger.STAMP, step="stamp") for each in heads])
        if step.is_stamp or not step.is_upgrade:
            assert ctx.script is not None  # noqa: S101 - there is one whenever Alembic runs revisions
            for revision in ledger.known(connection) - {script.revision for script in below(heads, ctx.script)}:
                ledger.forget(connection, revision)
        elif step.up_revision is not None:
            ledger.remember(connection, step.up_revision.revision, checksum(step.up_revision))
        if self._whole and self._left is not None and len(self._left) == 1:
            ledger.end_whole(connection)

    def _found(self, heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
        """What is to be done, when all is prepared for it."""
        assert context.script is not None  # noqa: S101 - as above
        refuse_unknown(self.session.connection, heads, context.script)
        applied = below(heads, context.script)
        left = list(self.command.find(heads, context))
        begun, taken_back = self._halves(applied, context.script)
        if not (left or begun or taken_back):
            return left
        if self.command.counts_from_here:
            # One that was only begun is one step down as well.
            left = left[: max(len(left) - len(begun), 0)]
        if self.command.is_upgrade and not heads:
            refuse_tables_there(self.session, left)
        self._begin(heads, applied)
        if self.command.is_downgrade:
            for found in plans([step.revision for step in left], self.session.dialect):
                self.phases.refuse_purged(found)
        for script in begun:
            self._end_upgrade_below(script)
        for script in taken_back:
            self._end_downgrade_above(script)
        return left

    def _halves(self, applied: list[Script], directory: ScriptDirectory) -> tuple[list[Script], list[Script]]:
        """What is to be ended first: upgrades that were begun, by a downgrade, and downgrades by an upgrade."""
        connection = self.session.connection
        begun: list[Script] = []
        taken_back: list[Script] = []
        if ledger.exists(connection):
            ids = [script.revision for script in applied]
            if self.command.is_downgrade:
                half = ledger.known(connection) - set(ids)
                begun = [script for script in directory.walk_revisions() if script.revision in half]
            elif self.command.is_upgrade:
                half = ledger.taken_back(connection, ids)
                taken_back = [script for script in applied if script.revision in half]
        return begun, taken_back

    def _end_upgrade_below(self, script: Script) -> None:
        """Take back all of a revision that an upgrade began and did not end."""
        if (found := plan(script, self.session.dialect)) is not None:
            self.phases.undo(found)
        forget = partial(ledger.forget, self.session.connection, script.revision)
        write_down(self.session, script.revision, "the end of the rollback", forget)
        self.session.report(f"Take back what was done of {script.revision}: done.")

    def _end_downgrade_above(self, script: Script) -> None:
        """Do again what a downgrade began to take back and did not end."""
        if (found := plan(script, self.session.dialect)) is not None:
            self.phases.expand(found)
        remember = partial(ledger.remember, self.session.connection, script.revision, checksum(script))
        write_down(self.session, script.revision, "the end of the upgrade", remember)
        self.session.report(f"Do again what was taken back of {script.revision}: done.")

    def _begin(self, heads: tuple[str, ...], applied: list[Script]) -> None:
        connection = self.session.connection
        if not self.session.inside:
            # Alembic may just have made its table.
            connection.commit()
        self.phases.begin()
        with self.session.writing():
            if self.session.dialect == "sqlite":
                self._dangling = catalog.dangling_rows(connection)
            is_unused = not heads and not trash.items(connection) and not ledger.known(connection)
            self._whole = ledger.is_made_whole(connection) or is_unused
            if is_unused:
                ledger.make_whole(connection)
        adopt_applied(self.session, applied)

    def _prepare(self, step: Any) -> None:
        """Do the work of one of our revisions here, between Alembic's transactions; Alembic stamps it."""
        found = plan(step.revision, self.session.dialect)
        if found is None:
            return
        if step.is_upgrade and self._whole:
            self._make_whole(found)
        elif step.is_upgrade:
            self.phases.expand(found)
        else:
            self.phases.undo(found)
        step.migration_fn = _nothing

    def _make_whole(self, found: Plan) -> None:
        session = self.session
        if session.inside:
            self.phases.whole(found)
            return
        session.connection.rollback()
        # One transaction for all of it and for Alembic's stamp, which is written into the one that is open.
        session.connection.begin()
        session.lease.renew(session.connection)
        session.inside = session.unused = True
        try:
            self.phases.whole(found)
        except BaseException:
            session.connection.rollback()
            raise
        finally:
            session.inside = session.unused = False


def _nothing(**_: Any) -> None:
    pass


def _described(step: Any) -> str:
    info = step.info
    if info.is_stamp:
        return f"Stamp {' and '.join(info.destination_revision_ids) or 'base'}"
    return f"{'Upgrade to' if info.is_upgrade else 'Downgrade from'} {info.up_revision_id}"
