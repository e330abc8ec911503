"""What a revision does in each of its phases, found by asking its file."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from types import ModuleType
from typing import Any

from alembic import op
from alembic.script import Script

from service.migrate.errors import Refused
from service.migrate.operations.base import Columns, Operation, Refill, Refuse, Undo
from service.migrate.operations.columns.add_drop import AddColumn
from service.migrate.operations.constraints.foreign_key import AddForeignKey
from service.migrate.operations.step import Check, Fill, Place, Step
from service.migrate.plan.recorder import recorded, written_for


class Phase(StrEnum):
    """The phases in their order; each is undone after those behind it."""

    EXPAND = "expand"
    SETTLE = "settle"
    CONTRACT = "contract"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a revision has to do on one kind of database.

    `settle` follows the last of `fills`. `downgrade` is `None` when the way back is to undo all of it.
    """

    revision: str
    title: str
    needs: tuple[Columns, ...]
    checks: tuple[Check, ...]
    expand: tuple[Step, ...]
    fills: tuple[Fill, ...]
    settle: tuple[Step, ...]
    contract_needs: tuple[Columns, ...]
    contract_checks: tuple[Check, ...]
    contract: tuple[Step, ...]
    purge: tuple[Step, ...]
    undo_checks: tuple[Check, ...]
    contract_undo_checks: tuple[Check, ...]
    downgrade_checks: tuple[Check, ...]
    downgrade: tuple[Step, ...] | None

    def steps(self, phase: Phase) -> tuple[Step, ...]:
        return {
            Phase.EXPAND: self.expand,
            Phase.SETTLE: self.settle,
            Phase.CONTRACT: self.contract,
            Phase.DOWNGRADE: self.downgrade or (),
        }[phase]


def is_plain(module: ModuleType) -> bool:
    """Whether a revision is written in Alembic's own style: it imports `op`, and is run as one transaction."""
    return any(value is op for value in vars(module).values())


@cache
def plan(script: Script, dialect: str) -> Plan | None:
    """The revision's plan; `None` for one in Alembic's plain style.

    Raises:
        Refused: the file asks for something where it cannot be done.
    """
    module: Any = script.module
    if is_plain(module):
        return None
    place = Place(dialect=dialect, revision=script.revision)
    with written_for(dialect):
        expand = _with_returning_keys(recorded(module.upgrade))
        contract = recorded(module.contract) if hasattr(module, "contract") else []
        downgrade = recorded(module.downgrade)
        declared = _declared(script.revision, module)
    _refuse_misplaced(script.revision, expand, contract)
    undone = any(isinstance(each, Undo) for each in downgrade)
    if undone and not all(isinstance(each, (Undo, Refuse)) for each in downgrade):
        raise Refused(f"{script.revision}: downgrade() undoes everything or says what to do, not both.")
    found = Plan(
        revision=script.revision,
        title=script.doc,
        needs=_needs(expand),
        checks=_checks(expand, place),
        expand=tuple(step for each in expand for step in each.expand(place)),
        fills=(*declared, *(fill for each in expand for fill in each.fills(place))),
        settle=tuple(step for each in expand for step in each.settle(place)),
        contract_needs=_needs(contract),
        contract_checks=_checks(contract, place, expand),
        contract=_contract(expand, contract, place),
        purge=tuple(step for each in (*contract, *expand) for step in each.purge(place)),
        undo_checks=_unless_refilled((check for each in expand for check in each.undo_checks(place)), expand),
        contract_undo_checks=_unless_refilled(
            (
                *(check for each in contract for check in each.undo_checks(place)),
                *(check for each in expand for check in each.contract_undo_checks(place)),
            ),
            contract,
        ),
        downgrade_checks=_checks(downgrade, place),
        downgrade=None if undone else tuple(step for each in downgrade for step in each.expand(place)),
    )
    _refuse_doubles(found)
    return found


def _with_returning_keys(operations: list[Operation]) -> list[Operation]:
    """The operations, of which foreign keys know when their columns come in the same revision."""
    given = {(each.table, each.column.name) for each in operations if isinstance(each, AddColumn)}
    return [
        replace(each, returning=True)
        if isinstance(each, AddForeignKey) and not given.isdisjoint((each.table, name) for name in each.columns)
        else each
        for each in operations
    ]


def _contract(expand: list[Operation], contract: list[Operation], place: Place) -> tuple[Step, ...]:
    """What follows from upgrade() comes before anything is taken away: its triggers may read that."""
    at = next((at for at, each in enumerate(contract) if each.removes), len(contract))
    before = (step for each in contract[:at] for step in each.expand(place))
    own = (step for each in expand for step in each.contract(place))
    return (*before, *own, *(step for each in contract[at:] for step in each.expand(place)))


def _needs(operations: list[Operation]) -> tuple[Columns, ...]:
    """What must be there before, without what the operations before give."""
    given: dict[str, set[str]] = {}
    made: set[str] = set()
    needed: list[Columns] = []
    for each in operations:
        for table, columns in each.needs():
            if table not in made:
                needed.append((table, tuple(name for name in columns if name not in given.get(table, ()))))
        _give(each, given, made)
    return tuple(dict.fromkeys(needed))


def _checks(operations: list[Operation], place: Place, expand: Iterable[Operation] = ()) -> tuple[Check, ...]:
    """The checks of rows that are there; what the operations before give holds nothing yet.

    With those of the contract come the ones that what was called in upgrade(), `expand`, has for it.
    """
    given: dict[str, set[str]] = {}
    made: set[str] = set()
    freed: set[str] = set()
    checks: list[Check] = []
    for each in operations:
        asked = [check for check in each.checks(place) if _is_asked(check, given, made)]
        checks += [replace(check, besides=check.besides | freed) for check in asked]
        freed.update(map(str.lower, each.frees()))
        _give(each, given, made)
    own = (check for each in expand for check in each.contract_checks(place))
    return (*checks, *(replace(check, besides=check.besides | freed) for check in own))


def _unless_refilled(checks: Iterable[Check], operations: list[Operation]) -> tuple[Check, ...]:
    """The checks whose columns get no other values on the way back."""
    fills = [each.fill for each in operations if isinstance(each, Refill)]
    written = {(fill.table, name) for fill in fills for name in (*(fill.assign or ()), *fill.write)}
    return tuple(check for check in checks if written.isdisjoint((check.table, name) for name in check.needs))


def _is_asked(check: Check, given: dict[str, set[str]], made: set[str]) -> bool:
    return check.table not in made and given.get(check.table, set()).isdisjoint(check.needs)


def _give(operation: Operation, given: dict[str, set[str]], made: set[str]) -> None:
    known = {table for table, _ in operation.needs()}
    for table, columns in operation.gives():
        given.setdefault(table, set()).update(columns)
        if table not in known:
            made.add(table)


def _declared(revision: str, module: Any) -> tuple[Fill, ...]:
    backfill: Any = getattr(module, "backfill", ())
    declared: Fill | Iterable[Fill] = backfill() if callable(backfill) else backfill
    fills = (declared,) if isinstance(declared, Fill) else tuple(declared)
    if not all(isinstance(each, Fill) for each in fills):
        raise Refused(f"{revision}: backfill is an ops.Fill(…), or a list of them, or a function that returns one.")
    return fills


def _refuse_misplaced(revision: str, expand: list[Operation], contract: list[Operation]) -> None:
    place = Place(dialect="postgresql", revision=revision)
    for each in expand:
        if each.removes:
            raise Refused(
                f"{revision}: {type(each).__name__} in upgrade() would take from the code before what it still uses. "
                "Call it in contract()."
            )
    for each in contract:
        if each.fills(place) or each.settle(place) or each.contract(place):
            raise Refused(
                f"{revision}: {type(each).__name__} has a backfill or a contract of its own: call it in upgrade()."
            )


def _refuse_doubles(found: Plan) -> None:
    names = [fill.name for fill in found.fills]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Refused(f"{found.revision}: two backfills are called {' and '.join(sorted(twice))}.")
