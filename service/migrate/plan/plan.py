"""The plan of a revision: its steps, backfills and preconditions by phase, computed from its file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from alembic import op
from alembic.script import Script

from service.migrate import naming
from service.migrate.errors import Refused
from service.migrate.operations.base import Columns, Recorded, merged
from service.migrate.operations.columns.add_drop import AddColumn
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.downgrade import Undo
from service.migrate.operations.preconditions import Refuse
from service.migrate.operations.step import Backfill, Precondition, Step, Target
from service.migrate.operations.survey.survey import Survey, surveys, surveys_again, surveys_of_backfills
from service.migrate.operations.tables.rename import RenameTable
from service.migrate.plan.faults import explained
from service.migrate.plan.recorder import recorded, written_for


class Phase(StrEnum):
    """The phases with steps, in the order of execution; a downgrade undoes them in reverse order."""

    EXPAND = "expand"
    SETTLE = "settle"
    CONTRACT = "contract"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps, backfills and preconditions of a revision on one database.

    The surveys ask what else is on the tables, before the expand, the contract and a downgrade of its own operations.
    `creates` are the tables that the revision creates, `renames` the old and new names of others, and `later` the
    tables that other operations have settle or contract steps for. `settle` follows the last of `backfills`.
    `downgrade` is `None` if the revision's downgrade() calls `ops.undo()`.
    """

    revision: str
    title: str
    creates: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]
    later: frozenset[str]
    needs: tuple[Columns, ...]
    surveys: tuple[Survey, ...]
    checks: tuple[Precondition, ...]
    expand: tuple[Step, ...]
    backfills: tuple[Backfill, ...]
    settle: tuple[Step, ...]
    contract_needs: tuple[Columns, ...]
    contract_surveys: tuple[Survey, ...]
    contract_checks: tuple[Precondition, ...]
    contract: tuple[Step, ...]
    purge: tuple[Step, ...]
    undo_checks: tuple[Precondition, ...]
    contract_undo_checks: tuple[Precondition, ...]
    downgrade_surveys: tuple[Survey, ...]
    downgrade_checks: tuple[Precondition, ...]
    downgrade: tuple[Step, ...] | None

    def steps(self, phase: Phase) -> tuple[Step, ...]:
        return {
            Phase.EXPAND: self.expand,
            Phase.SETTLE: self.settle,
            Phase.CONTRACT: self.contract,
            Phase.DOWNGRADE: self.downgrade or (),
        }[phase]


def is_plain(module: ModuleType) -> bool:
    """Whether a revision imports Alembic's `op`: such a revision runs in one transaction, without steps."""
    return any(value is op for value in vars(module).values())


def plan(script: Script, dialect: str) -> Plan | None:
    """The revision's plan; `None` for a revision that imports Alembic's `op`.

    Raises:
        Refused: an operation is not safe in its phase or on this database, or the file's code fails.
    """
    return _plan_of(_file_of(script), dialect, naming.current().prefix)


@dataclass(frozen=True, slots=True)
class _File:
    """Equal for every reading of an unchanged file: Alembic reads the files again for each command."""

    path: str
    content: bytes
    script: Script = field(compare=False)


@cache
def _file_of(script: Script) -> _File:
    return _File(script.path, Path(script.path).read_bytes(), script)


@cache
def _plan_of(file: _File, dialect: str, _prefix: str) -> Plan | None:
    # The prefix is in the names of the plan's triggers and functions, so each prefix has a plan of its own.
    script = file.script
    if is_plain(script.module):
        return None
    with explained(script.path):
        return _plan(script, Target(dialect=dialect, revision=script.revision))


def _plan(script: Script, target: Target) -> Plan:
    module: Any = script.module
    upgrade = _with_returning_keys(recorded(module.upgrade, target), target)
    contract = recorded(module.contract, target) if hasattr(module, "contract") else []
    downgrade = recorded(module.downgrade, target)
    with written_for(target):
        declared = _declared(script.revision, module)
    _refuse_misplaced(target, upgrade, contract)
    found = _planned(script, target, declared, _Functions(upgrade, contract, downgrade))
    _refuse_doubles(found)
    return found


class _Functions(NamedTuple):
    """The operations that the functions of a revision file call, in order."""

    upgrade: list[Recorded]
    contract: list[Recorded]
    downgrade: list[Recorded]


def _planned(script: Script, target: Target, declared: tuple[Backfill, ...], functions: _Functions) -> Plan:
    upgrade, downgrade = (merged(each.phases for each in calls) for calls in (functions.upgrade, functions.downgrade))
    called = [each.phases for each in functions.contract]
    contract = merged(called)
    # Contract steps of upgrade() precede the first removal, since their triggers may read what is removed.
    first = next((at for at, each in enumerate(called) if each.removes), len(called))
    before, after = merged(called[:first]), merged(called[first:])
    renamed = [each.operation for each in functions.upgrade]
    return Plan(
        revision=script.revision,
        title=script.doc,
        creates=tuple(sorted(upgrade.creates)),
        renames=tuple((each.table, each.to) for each in renamed if isinstance(each, RenameTable)),
        later=frozenset(_tables_of_later_steps(functions)),
        needs=tuple(dict.fromkeys(upgrade.requires)),
        surveys=(*surveys(functions.upgrade, target), *surveys_of_backfills(declared)),
        checks=upgrade.preconditions,
        expand=upgrade.expand,
        backfills=(*declared, *upgrade.backfill),
        settle=upgrade.settle,
        contract_needs=tuple(dict.fromkeys(contract.requires)),
        contract_surveys=(*surveys_again(functions.upgrade), *surveys(functions.contract, target)),
        contract_checks=(*contract.preconditions, *contract.excused(upgrade.contract_preconditions)),
        contract=(*before.expand, *upgrade.contract, *after.expand),
        purge=(*contract.purge, *upgrade.purge),
        undo_checks=contract.excused_undo(
            upgrade.excused_undo(upgrade.without_refilled(upgrade.undo_preconditions)),
        ),
        contract_undo_checks=contract.excused_undo(
            contract.without_refilled((*contract.undo_preconditions, *upgrade.undo_contract_preconditions))
        ),
        downgrade_surveys=surveys(functions.downgrade, target),
        downgrade_checks=downgrade.preconditions,
        downgrade=None if _is_undo(script.revision, functions.downgrade) else downgrade.expand,
    )


def _tables_of_later_steps(functions: _Functions) -> Iterator[str]:
    others = [each.phases for each in functions.upgrade if not isinstance(each.operation, RenameTable)]
    contract = merged(each.phases for each in functions.contract)
    later = (*(step for each in others for step in (*each.settle, *each.contract)), *contract.expand)
    for step in later:
        yield from step.tables


def _is_undo(revision: str, downgrade: list[Recorded]) -> bool:
    """Whether the downgrade undoes all steps of the revision."""
    undone = any(isinstance(each.operation, Undo) for each in downgrade)
    if undone and not all(isinstance(each.operation, (Undo, Refuse)) for each in downgrade):
        raise Refused(f"{revision}: downgrade() calls ops.undo() and other operations. Use one or the other.")
    return undone


def _with_returning_keys(calls: list[Recorded], target: Target) -> list[Recorded]:
    """The calls, with `returning` set on foreign keys whose columns the same revision adds."""
    operations = [each.operation for each in calls]
    given = {(each.table, each.column.name) for each in operations if isinstance(each, AddColumn)}
    return [
        Recorded.of(replace(key, returning=True), target)
        if isinstance(key := each.operation, AddForeignKey)
        and not given.isdisjoint((key.table, name) for name in key.columns)
        else each
        for each in calls
    ]


def _declared(revision: str, module: Any) -> tuple[Backfill, ...]:
    backfill: Any = getattr(module, "backfill", ())
    declared: Backfill | Iterable[Backfill] = backfill() if callable(backfill) else backfill
    backfills = (declared,) if isinstance(declared, Backfill) else tuple(declared)
    if not all(isinstance(each, Backfill) for each in backfills):
        raise Refused(
            f"{revision}: backfill must be an ops.Backfill(…), a list of them, or a function that returns it."
        )
    return backfills


def _refuse_misplaced(target: Target, upgrade: list[Recorded], contract: list[Recorded]) -> None:
    revision = target.revision
    if target.is_sqlite:
        # PostgreSQL has a backfill for more operations: both databases refuse the same files.
        other = replace(target, dialect="postgresql")
        upgrade, contract = ([Recorded.of(each.operation, other) for each in calls] for calls in (upgrade, contract))
    for operation, phases in upgrade:
        if phases.removes:
            raise Refused(
                f"{revision}: {type(operation).__name__} in upgrade() would remove what the old version still uses. "
                "Call it in contract()."
            )
    for operation, phases in contract:
        if phases.backfill or phases.settle or phases.contract:
            raise Refused(
                f"{revision}: {type(operation).__name__} has a backfill or contract steps. Call it in upgrade()."
            )


def _refuse_doubles(found: Plan) -> None:
    names = [backfill.name for backfill in found.backfills]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Refused(f"{found.revision}: two backfills are named {' and '.join(sorted(twice))}. Rename one of them.")
