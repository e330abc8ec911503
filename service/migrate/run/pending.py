"""Pending phases of the applied revisions: backfill, contract, undo of contracts, purge."""

from collections.abc import Callable, Mapping, Sequence

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.sqlite.tokens import lowered
from service.migrate.errors import Refused
from service.migrate.operations.step import Target
from service.migrate.plan.plan import Phase, Plan
from service.migrate.run.phases import PhaseRunner, dropping
from service.migrate.state import contracts, trash
from service.migrate.state.progress import Progress, of_all

Report = Callable[[str], None]


def backfill(runner: PhaseRunner, plans: Sequence[Plan], report: Report) -> list[str]:
    """Run the pending backfills, oldest revision first, and return the revisions of which a backfill ran."""
    done = []
    progress = _progress(runner)
    for plan in plans:
        if _is_filled(runner, plan, progress[plan.revision]):
            continue
        runner.backfill(plan, progress[plan.revision])
        report(f"Backfill of {plan.revision}: done.")
        done.append(plan.revision)
    return done


def contract(runner: PhaseRunner, plans: Sequence[Plan], report: Report) -> list[str]:
    """Run the pending contracts, oldest revision first, and return the contracted revisions.

    Raises:
        Refused: a backfill of the revision, or of one before it, is incomplete.
    """
    done = []
    progress = _progress(runner)
    for plan in plans:
        if _is_contracted(plan, progress[plan.revision]):
            runner.refuse_unfilled(plan, progress[plan.revision])
            continue
        runner.contract(plan, progress[plan.revision])
        report(f"Contract of {plan.revision}: done.")
        done.append(plan.revision)
    return done


def undo_contract(runner: PhaseRunner, plans: Sequence[Plan], report: Report, *, of_last_run: bool) -> list[str]:
    """Undo contracts, newest revision first, and return the revisions.

    With `of_last_run`, those that the last run of `contract` contracted; the contracts of earlier runs are reported.

    Raises:
        Refused: the trash of one of them was purged; the database is unchanged then.
    """
    done = []
    progress = _progress(runner)
    contracted = [plan for plan in reversed(plans) if progress[plan.revision].begun(Phase.CONTRACT)]
    undone = _of_last_run(runner, contracted) if of_last_run else contracted
    for plan in undone:
        runner.refuse_purged(plan)
    for plan in undone:
        runner.undo_contract(plan)
        report(f"Contract of {plan.revision} undone.")
        done.append(plan.revision)
    if earlier := [plan.revision for plan in reversed(contracted) if plan not in undone]:
        report(
            f"Contracted by earlier runs: {', '.join(earlier)}. To undo these too, run "
            f"{naming.command(f'contract --undo --to {earlier[0]}')}."
        )
    return done


def _of_last_run(runner: PhaseRunner, contracted: Sequence[Plan]) -> list[Plan]:
    """The revisions that the last run contracted; the newest one where an earlier version recorded no run."""
    with runner.session.reading():
        runs = contracts.runs(runner.session.connection)
    last = next((run for revision, run in reversed(runs.items()) if revision in {p.revision for p in contracted}), None)
    return [plan for plan in contracted if runs.get(plan.revision) == last] if last else list(contracted[:1])


def purge(runner: PhaseRunner, plans: Sequence[Plan], report: Report) -> list[str]:
    """Drop the contents of the trash, and return the names of the dropped tables and columns.

    Raises:
        Refused: the trash belongs to a revision whose contract is incomplete.
    """
    with runner.session.reading():
        items = trash.items(runner.session.connection)
    owners = [owner(plans, each, runner.session.dialect) for each in items]
    owned = [
        (plan, [each for each, owner in zip(items, owners, strict=True) if owner is plan]) for plan in (*plans, None)
    ]
    done = []
    progress = _progress(runner)
    for plan, found in owned:
        if found and plan is not None and not _is_contracted(plan, progress[plan.revision]):
            raise Refused(
                f"{plan.revision} cannot be purged: its contract is incomplete. Run {naming.command('contract')}."
            )
        for each in found:
            runner.purge(each, plan.revision if plan else each.tag)
            report(f"Purged {each.described}.")
            done.append(each.described)
    return done


def owner(plans: Sequence[Plan], item: trash.Item, dialect: str) -> Plan | None:
    """The applied revision that moved it to the trash; `None` for what the downgrade of another one left there.

    Revisions of two branches may have the same number, so that the tag alone does not tell them apart.
    """
    for plan in plans:
        if ddl.trash_tag(plan.revision) == item.tag:
            title = dropping(Target(dialect=dialect, revision=plan.revision), item).title
            if any(same(dialect, step.title, title) for step in plan.purge):
                return plan
    return None


def same(dialect: str, one: str, other: str) -> bool:
    """Whether two titles name the same: SQLite ignores the case of names."""
    return one == other or (dialect == "sqlite" and lowered(one) == lowered(other))


def _progress(runner: PhaseRunner) -> Mapping[str, Progress]:
    with runner.session.reading():
        return of_all(runner.session.connection)


def _is_filled(runner: PhaseRunner, plan: Plan, progress: Progress) -> bool:
    filled = all(runner.backfills.is_done(plan.revision, backfill) for backfill in plan.backfills)
    return filled and not _is_left(runner, plan, progress) and len(progress.done(Phase.SETTLE)) >= len(plan.settle)


def _is_left(runner: PhaseRunner, plan: Plan, progress: Progress) -> bool:
    """Whether rows lack a value again; `False` after the first contract step, which may have dropped the columns."""
    is_asked = plan.contract and not progress.begun(Phase.CONTRACT)
    return bool(is_asked) and any(runner.backfills.left(plan.revision, backfill) for backfill in plan.backfills)


def _is_contracted(plan: Plan, progress: Progress) -> bool:
    return len(progress.done(Phase.CONTRACT)) >= len(plan.contract)
