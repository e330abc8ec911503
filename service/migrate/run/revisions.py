"""Runs the revisions that Alembic lists: those of `ops` in safe steps, those of Alembic's `op` in one transaction."""

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
from service.migrate.dialects.kept import kept
from service.migrate.dialects.sqlite import catalog
from service.migrate.dialects.sqlite.rebuild import refuse_dangling
from service.migrate.errors import Refused, reason
from service.migrate.plan.checksum import checksum
from service.migrate.plan.context import Context
from service.migrate.plan.plan import Plan, plan
from service.migrate.plan.revisions import below, plans
from service.migrate.run.baseline import adopt_applied
from service.migrate.run.contradictions import refuse_contradictions
from service.migrate.run.existing import refuse_tables_there
from service.migrate.run.locking.waiting import pause
from service.migrate.run.phases import PhaseRunner
from service.migrate.run.retry import write_down
from service.migrate.run.session import Session
from service.migrate.run.shared_trash import refuse_shared_trash
from service.migrate.run.unfinished import refuse_renames
from service.migrate.state import ledger, trash
from service.migrate.state.compatibility import refuse_unknown

TRY_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


def run_until_done(context: Context, connection: Connection, runner: "RevisionRunner", options: dict[str, Any]) -> None:
    """Run the revisions through Alembic; a revision of Alembic's `op` that met a lock is run again from its start."""
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
            why = reason(failure)
            if cure(failure) is not Cure.AGAIN or backoff.seconds_left < 0:
                raise Refused(f"{runner.now} failed and was rolled back: {why}.") from failure
            runner.session.report(f"{runner.now} was rolled back and is retried: {why}.")
            pause(connection, backoff.pause())
        else:
            return


@dataclass(kw_only=True)
class Command:
    """An Alembic command: the function that finds its revisions, and the revision that was asked for."""

    find: Callable[..., Iterable[Any]]
    wanted: Any

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Command":
        return cls(find=options["fn"], wanted=options["destination_rev"])

    @property
    def is_upgrade(self) -> bool:
        # By the name of Alembic's function: a command that finds no revision has no other mark.
        return self.find.__name__ == "upgrade"

    @property
    def is_downgrade(self) -> bool:
        return self.find.__name__ == "downgrade"

    @property
    def is_stamp(self) -> bool:
        return self.find.__name__ == "do_stamp"

    @property
    def counts_from_here(self) -> bool:
        """Whether the downgrade is relative, such as `-1`."""
        return self.is_downgrade and str(self.wanted).startswith("-")


@dataclass(kw_only=True)
class RevisionRunner:
    """The revisions to run, found once: after a failed attempt, the run continues with the first that is not done."""

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
            # Alembic commits this revision before it asks for the next one.
            yield step
            self._left.pop(0)
            self.done.append(step.info.up_revision_id)
            self.session.report(f"{_described(step)}: done.")

    def stamped(self, ctx: MigrationContext, step: Any, heads: Collection[Any], run_args: object) -> None:  # noqa: ARG002
        """Update the ledger in the transaction of Alembic's stamp; on SQLite refuse rows that violate a foreign key."""
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
        """The revisions to run; before, start the session and complete runs that were interrupted."""
        assert context.script is not None  # noqa: S101 - as above
        refuse_unknown(self.session.connection, heads, context.script)
        applied = below(heads, context.script)
        self._refuse_ambiguous(heads)
        left = list(self.command.find(heads, context))
        if self.command.is_stamp and not left:
            self._accept(heads, applied)
            return left
        with kept(self.session.connection):
            self._refuse_contradictions(applied, left, context.script)
            begun, taken_back = self._incomplete(applied, context.script)
            known = ledger.known_if_any(self.session.connection)
            if self.command.is_upgrade and left:
                self._refuse_clashes(applied, [step.revision for step in left], context.script, is_unused=not heads)
        if not (left or begun or taken_back):
            return left
        if self.command.counts_from_here:
            # An incomplete upgrade counts as one step of a relative downgrade.
            left = left[: max(len(left) - len(begun), 0)]
        if self.command.is_upgrade and not heads:
            refuse_tables_there(self.session, left)
        self._begin(heads, applied, known)
        if self.command.is_downgrade:
            with self.session.reading():
                for found in plans([step.revision for step in left], self.session.dialect):
                    self.phases.refuse_purged(found)
        for script in begun:
            self._roll_back_upgrade(script)
        for script in taken_back:
            self._roll_back_downgrade(script)
        return left

    def _refuse_clashes(
        self, applied: list[Script], left: list[Script], directory: ScriptDirectory, *, is_unused: bool
    ) -> None:
        """Revisions that cannot be applied beside others; an unused database runs all phases of each in turn."""
        refuse_shared_trash(left, directory, self.session.dialect)
        if not is_unused:
            refuse_renames(self.session.connection, self.session.dialect, applied, left)

    def _refuse_ambiguous(self, heads: tuple[str, ...]) -> None:
        if self.command.counts_from_here and len(heads) > 1:
            raise Refused(
                f"{self.command.wanted} is ambiguous: the database is at {' and '.join(sorted(heads))}. "
                "Name the revision to go to."
            )

    def _refuse_contradictions(self, applied: list[Script], left: list[Any], directory: ScriptDirectory) -> None:
        """A stamp is the way out of a contradiction, and not refused."""
        if not self.command.is_stamp:
            connection = self.session.connection
            has_drift = ledger.exists(connection) and ledger.active_run(connection) is None
            undone = [step.revision.revision for step in left] if self.command.is_downgrade else []
            catalog = self.phases.catalog
            refuse_contradictions(connection, applied, directory, has_drift=has_drift, catalog=catalog, undone=undone)

    def _accept(self, heads: tuple[str, ...], applied: list[Script]) -> None:
        """A stamp of the present revision: the ledger forgets others, and the end of the session keeps the catalog."""
        connection = self.session.connection
        known = ledger.known_if_any(connection)
        if not applied and not known:
            return
        self._begin(heads, applied, known)
        with self.session.writing():
            for revision in ledger.known(connection) - {script.revision for script in applied}:
                ledger.forget(connection, revision)

    def _incomplete(self, applied: list[Script], directory: ScriptDirectory) -> tuple[list[Script], list[Script]]:
        """The incomplete upgrades that a downgrade must undo first, and the incomplete downgrades for an upgrade."""
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

    def _roll_back_upgrade(self, script: Script) -> None:
        """Undo the steps of a revision whose upgrade is incomplete."""
        if (found := plan(script, self.session.dialect)) is not None:
            self.phases.undo(found)
        forget = partial(ledger.forget, self.session.connection, script.revision)
        write_down(self.session, script.revision, "the end of the rollback", forget)
        self.done.append(script.revision)
        self.session.report(f"Undo the incomplete upgrade of {script.revision}: done.")

    def _roll_back_downgrade(self, script: Script) -> None:
        """Run the steps again that an incomplete downgrade undid."""
        if (found := plan(script, self.session.dialect)) is not None:
            self.phases.expand(found)
        remember = partial(ledger.remember, self.session.connection, script.revision, checksum(script))
        write_down(self.session, script.revision, "the end of the upgrade", remember)
        self.done.append(script.revision)
        self.session.report(f"Undo the incomplete downgrade of {script.revision}: done.")

    def _begin(self, heads: tuple[str, ...], applied: list[Script], known: Collection[str]) -> None:
        connection = self.session.connection
        if not self.session.inside:
            # Alembic may have created alembic_version in the open transaction.
            connection.commit()
        self.phases.begin()
        with self.session.writing():
            if self.session.dialect == "sqlite":
                self._dangling = catalog.dangling_rows(connection)
            is_unused = not heads and not known and not trash.items(connection)
            self._whole = ledger.is_made_whole(connection) or is_unused
            if is_unused:
                ledger.make_whole(connection)
        adopt_applied(self.session, applied, known)

    def _prepare(self, step: Any) -> None:
        """Run the steps of a revision between Alembic's transactions; Alembic then only stamps the revision."""
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
        # One transaction for the whole revision and its stamp: Alembic stamps in the open transaction.
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
