"""The script of one phase of an applied revision: backfill, contract or purge."""

from collections.abc import Collection, Iterator

from alembic.script import ScriptDirectory

from service.migrate import naming
from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.ddl import literal
from service.migrate.operations.step import Backfill
from service.migrate.plan.plan import Phase, Plan
from service.migrate.run.scripts.checks import State, preconditions, tables_of
from service.migrate.run.scripts.steps import backfill, steps
from service.migrate.run.scripts.strangers import no_strangers
from service.migrate.run.scripts.text import array, block, call, comment, executed, raised
from service.migrate.run.scripts.whole import script
from service.migrate.state import ledger

_DROPPED = ("DROP COLUMN ", "DROP TABLE ")


def phase_script(
    phase: str,
    plan: Plan,
    checksum: str,
    directory: ScriptDirectory,
    *,
    earlier: Collection[Plan],
    later: Collection[str],
) -> str | None:
    """The script of a phase; `None` if the revision has nothing to do in it.

    `earlier` are the plans of the revisions before it, `later` the ids of itself and of those that build on it.
    """
    revision = plan.revision
    parts = list(_PARTS[phase](plan))
    if not parts:
        return None
    finished = {
        "backfill": _begun(plan),
        "contract": _done(revision, Phase.CONTRACT, len(plan.contract)),
        "purge": "false",
    }
    complete = {"backfill": _filled(plan), "contract": finished["contract"], "purge": _purged(plan)}
    state = State(
        id="",
        verb=phase,
        creates_ledger=False,
        revisions=(revision,),
        creates=(),
        finished=finished[phase],
        state=list(_state(phase, plan, checksum, earlier, later)),
        checks=list(_contract_checks(plan, directory)) if phase == "contract" else (),
        entered=revision,
    )
    return script(f"{phase} {revision}", state, parts, complete[phase])


def _state(
    phase: str, plan: Plan, checksum: str, earlier: Collection[Plan], later: Collection[str]
) -> Iterator[tuple[str, str]]:
    revision = plan.revision
    heads = "pg_temp.migrator_heads()"
    yield f"{heads} && {array(sorted(later))}", f"{revision} is not applied, or newer code upgraded the database."
    recorded = f"SELECT FROM {ledger.REVISIONS} WHERE revision = {literal(revision)} AND content = {literal(checksum)}"
    yield (
        f"EXISTS ({recorded})",
        f"The ledger has no record of {revision} with this file: run {naming.command(phase)} on the database.",
    )
    for each in earlier:
        if phase == "backfill" and (each.backfills or each.settle):
            message = f"The backfill of {each.revision}, which is before {revision}, is not complete."
            yield f"{_filled(each)} OR {_begun(each)}", message
        if phase == "contract" and each.contract:
            message = f"The contract of {each.revision}, which is before {revision}, is not complete."
            yield _done(each.revision, Phase.CONTRACT, len(each.contract)), message
    if phase == "contract":
        cure = f"Run {naming.command('backfill')}."
        yield (
            f"{_begun(plan)} OR {_filled(plan)}",
            f"{revision} cannot be contracted: its backfill is not complete. {cure}",
        )
    if phase == "purge":
        message = f"{revision} cannot be purged: its contract is not complete. Run {naming.command('contract')}."
        yield _done(revision, Phase.CONTRACT, len(plan.contract)), message


def _backfill(plan: Plan) -> Iterator[str]:
    yield from (backfill(plan.revision, each) for each in plan.backfills)
    settled = list(steps(plan.revision, Phase.SETTLE, plan.settle))
    if settled and plan.backfills:
        yield block(
            f"IF pg_temp.migrator_ready({literal(plan.revision)}) AND NOT ({_filled(plan, settle=False)}) THEN",
            "  PERFORM set_config('migrator.revision', '', false);",
            "END IF;",
        )
    yield from settled


def _contract(plan: Plan) -> Iterator[str]:
    if not plan.contract:
        return
    revision = literal(plan.revision)
    yield comment(f"{plan.revision}: {plan.title}")
    yield block(
        f"IF {call('ready', plan.revision)} AND NOT ({_begun(plan)}) THEN",
        f"  DELETE FROM {ledger.CONTRACTS} WHERE revision = {revision};",
        f"  INSERT INTO {ledger.CONTRACTS} (revision, run, began_at)",
        f"  VALUES ({revision}, current_setting('migrator.token'), clock_timestamp());",
        "END IF;",
    )
    yield from steps(plan.revision, Phase.CONTRACT, plan.contract)


def _contract_checks(plan: Plan, directory: ScriptDirectory) -> Iterator[str]:
    """The checks before the first step of a contract."""
    checks = [line for each in plan.backfills for line in _none_left(plan.revision, each)]
    checks += no_strangers(directory, {*tables_of(plan), *plan.creates}, naming.command("contract"))
    checks += preconditions(plan, plan.contract_needs, plan.contract_checks)
    if checks:
        yield f"IF NOT ({_begun(plan)}) THEN"
        yield from (f"  {line}" for line in checks)
        yield "END IF;"


def _none_left(revision: str, fill: Backfill) -> Iterator[str]:
    unless = f"NOT ({fill.unless}) AND " if fill.unless else ""
    message = (
        f"{revision} cannot be contracted: rows of {fill.table} were written after the backfill {fill.name}, without "
        f"its values. Stop the old version, then run {naming.command('backfill')}."
    )
    yield f"IF {unless}EXISTS (SELECT FROM {ddl.quoted(fill.table)} WHERE {fill.left}) THEN {raised(message)} END IF;"


def _purge(plan: Plan) -> Iterator[str]:
    """Each item of the trash is counted, recorded and dropped in one transaction."""
    for step in plan.purge:
        table, _, name = step.title.removeprefix(_DROPPED[0]).removeprefix(_DROPPED[1]).partition("._trash_")
        trash = f"_trash_{name}" if name else table
        counted = f"SELECT count({ddl.quoted(trash) if name else '*'}) FROM {ddl.quoted(table)}"
        plain = trash.removeprefix(f"_trash_{ddl.trash_tag(plan.revision)}_")
        described = f"{table}.{plain}" if name else plain
        values = f"{literal(plan.revision)}, {literal(described)}"
        yield comment(f"PURGE {described} ({step.lock})")
        yield block(
            f"IF NOT {call('ready', plan.revision)} OR ({step.done}) THEN RETURN; END IF;",
            f"_lost := ({counted});",
            "IF _lost > 0 THEN",
            f"  DELETE FROM {ledger.PURGED} WHERE (revision, name) = ({values});",
            f"  INSERT INTO {ledger.PURGED} (revision, name, lost, purged_at)",
            f"  VALUES ({values}, _lost, clock_timestamp());",
            "END IF;",
            "SET LOCAL lock_timeout = 50;",
            *map(executed, step.statements),
            f"PERFORM pg_temp.migrator_audit({literal(plan.revision)}, 'purge', {literal(f'PURGE {described}')},",
            "  'done', _began, _lost);",
            declared=("_lost bigint", "_began timestamptz := clock_timestamp()"),
        )


_PARTS = {"backfill": _backfill, "contract": _contract, "purge": _purge}


def _done(revision: str, phase: Phase, number: int) -> str:
    found = f"SELECT count(*) FROM {ledger.STEPS} WHERE revision = {literal(revision)} AND phase = {literal(phase)}"
    return f"({found} AND NOT half) >= {number}"


def _begun(plan: Plan) -> str:
    found = f"SELECT FROM {ledger.STEPS} WHERE revision = {literal(plan.revision)} AND phase = '{Phase.CONTRACT}'"
    return f"EXISTS ({found})"


def _filled(plan: Plan, *, settle: bool = True) -> str:
    """Whether the ledger has each backfill of the revision as done, and the steps after them."""
    of = f"SELECT count(*) FROM {ledger.BACKFILLS} WHERE revision = {literal(plan.revision)} AND state = 'done'"
    filled = f"({of}) >= {len(plan.backfills)}"
    return f"({filled} AND {_done(plan.revision, Phase.SETTLE, len(plan.settle))})" if settle else filled


def _purged(plan: Plan) -> str:
    return " AND ".join(f"({step.done})" for step in plan.purge) or predicates.negated("false")
