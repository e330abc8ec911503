"""What would make a step fail: rows that violate it, missing tables, attributes with which it is not safe."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from service.db.counting import counted
from service.db.failures import sqlstate
from service.migrate.dialects import ddl, reflected
from service.migrate.errors import Refused, reason
from service.migrate.operations.preconditions import refuse_rows
from service.migrate.operations.step import CATALOG, Backfill, Precondition
from service.migrate.operations.survey.survey import Survey, refuse_attributes
from service.migrate.plan.plan import Plan
from service.migrate.proof.forecast.actions import Pending, Stretch, tables_of
from service.migrate.proof.forecast.trials import Trial
from service.migrate.proof.forecast.violations import Violations
from service.migrate.state import ledger

# Of a plain revision that was not run in a scratch database.
_UNTRIED = Trial(why="not tried")
# The SQLSTATE class of a value that cannot be computed.
_DATA = "22"
_ADDED = re.compile(r'ALTER TABLE \S+ ADD COLUMN (?:"([^"]+)"|(\w+)) ([^\n]+)$')
_CLAUSES = re.compile(r" (?:COLLATE|DEFAULT|NOT NULL|NULL|GENERATED|CONSTRAINT|REFERENCES|CHECK)\b.*", re.DOTALL)
_LENGTH = re.compile(r"(?:VARCHAR|CHARACTER VARYING|CHAR|CHARACTER)\((\d+)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a phase of a revision would be refused, or fail.

    `is_certain` is false where something that runs before may change the answer, or where it cannot be known by
    reading.
    """

    revision: str
    phase: str
    what: str
    is_certain: bool = True


@dataclass(kw_only=True)
class Finder:
    """Looks for obstacles in the order in which the phases run."""

    connection: Connection
    trials: Mapping[str, Trial] = field(default_factory=dict)
    _touched: set[str] = field(default_factory=set, init=False)
    # Whether a plain revision before may have made tables and columns that are not known here.
    _is_unknown: bool = field(default=False, init=False)
    # The tables that plain revisions before change, and whether one drops objects of any table.
    _altered: set[str] = field(default_factory=set, init=False)
    _frees_any: bool = field(default=False, init=False)
    _seen: set[tuple[str, Stretch]] = field(default_factory=set, init=False)

    def find(self, pending: Sequence[Pending]) -> Iterator[Obstacle]:
        """The obstacles to these actions."""
        for each in pending:
            key = each.script.revision, each.stretch
            if key not in self._seen:
                self._seen.add(key)
                if each.plan is not None:
                    yield from self._of(each.plan, each.stretch)
                else:
                    yield from self._of_statements(each, self.trials.get(each.script.revision, _UNTRIED))
            if isinstance(each.action, Backfill) and each.plan is not None:
                yield from self._of_values(each.plan, each.action)
            self._touched |= set(tables_of(each.action))
            if each.plan is not None:
                self._touched |= set(each.plan.creates)

    def _of_statements(self, pending: Pending, trial: Trial) -> Iterator[Obstacle]:
        """What rows do to the statements of a plain revision."""
        revision, phase = pending.script.revision, pending.stretch
        if trial.has_failed:
            what = f"it fails in an empty scratch database: {trial.why.rstrip('.')}."
            yield Obstacle(revision=revision, phase=phase, what=what, is_certain=False)
        found = Violations(connection=self.connection, touched=self._touched)
        said: set[str] = set()
        for each in trial.observed:
            for what, is_certain in found.of(each.statement):
                # A rebuild of a table makes its indexes again.
                if what not in said:
                    yield Obstacle(revision=revision, phase=phase, what=what, is_certain=is_certain)
                said.add(what)
        # Only for later revisions: rows that are wrong now stay wrong for the statements of this one.
        self._touched |= found.changed
        self._altered |= found.changed
        self._frees_any |= found.frees_any
        self._is_unknown |= bool(trial.why) or found.is_opaque

    def _of(self, plan: Plan, stretch: Stretch) -> Iterator[Obstacle]:
        if stretch is Stretch.UPGRADE:
            yield from self._missing(plan)
            yield from self._attributes(plan, stretch, plan.surveys)
            yield from self._rows(plan, stretch, plan.checks)
        elif stretch is Stretch.CONTRACT:
            yield from self._attributes(plan, stretch, plan.contract_surveys)
            yield from self._rows(plan, stretch, plan.contract_checks)
        elif stretch is Stretch.DOWNGRADE:
            if purged := ledger.purged(self.connection, plan.revision):
                names = ", ".join(row.name for row in purged)
                yield _obstacle(plan, stretch, f"its trash was purged: {names}.")
            yield from self._attributes(plan, stretch, plan.downgrade_surveys)
            checks = (*plan.downgrade_checks, *plan.contract_undo_checks)
            yield from self._rows(plan, stretch, checks if plan.downgrade is not None else (*checks, *plan.undo_checks))

    def _missing(self, plan: Plan) -> Iterator[Obstacle]:
        for table, columns in plan.needs:
            if table in self._touched:
                continue
            if reflected.table_name(self.connection, table) is None:
                yield self._obstacle(plan, Stretch.UPGRADE, f"the table {table} does not exist.")
                continue
            there = reflected.columns(self.connection, table)
            for name in columns:
                if reflected.folded(self.connection.dialect.name, name) not in there:
                    yield self._obstacle(plan, Stretch.UPGRADE, f"{table} has no column {name}.")

    def _attributes(self, plan: Plan, stretch: Stretch, surveys: Collection[Survey]) -> Iterator[Obstacle]:
        may_change = self._frees_any or any({each.table, each.own} & self._altered for each in surveys)
        try:
            with self.connection.begin_nested():
                refuse_attributes(self.connection, plan.revision, surveys)
        except Refused as refused:
            yield self._obstacle(plan, stretch, str(refused).removeprefix(f"{plan.revision}: "), may_change=may_change)
        except (DBAPIError, NoSuchTableError):
            return

    def _rows(self, plan: Plan, stretch: Stretch, checks: Collection[Precondition]) -> Iterator[Obstacle]:
        for check in checks:
            may_change = check.table in self._touched or (not check.table and bool(self._touched))
            if may_change and check.script == CATALOG:
                # A definition that an action before changes is looked up when its turn comes.
                continue
            # A function may look at the catalog, too.
            may_change = may_change or (self._frees_any and callable(check.rows))
            if what := self._violation(check):
                yield self._obstacle(plan, stretch, what, may_change=may_change)

    def _obstacle(self, plan: Plan, stretch: Stretch, what: str, *, may_change: bool = False) -> Obstacle:
        """What the present database says, which a revision before may change."""
        return replace(_obstacle(plan, stretch, what), is_certain=not may_change and not self._is_unknown)

    def _violation(self, check: Precondition) -> str:
        """The refusal; empty without rows in the way, or where columns do not exist yet."""
        try:
            with self.connection.begin_nested():
                refuse_rows(self.connection, check)
                if callable(check.rows) and check.script and self.connection.dialect.name == "postgresql":
                    # What a trial with a temporary table finds, which a transaction that only reads cannot make.
                    refuse_rows(self.connection, replace(check, rows=check.script))
        except Refused as refused:
            return str(refused)
        except NoSuchTableError:
            return ""
        except DBAPIError as failure:
            if (sqlstate(failure) or "").startswith(_DATA):
                return f"{check.why}: {reason(failure)}."
        return ""

    def _of_values(self, plan: Plan, fill: Backfill) -> Iterator[Obstacle]:
        """Values that PostgreSQL cannot compute or store: every row's expression is evaluated, and not stored."""
        if self.connection.dialect.name != "postgresql":
            return
        added = dict(_added(plan))
        for column, expression in (fill.assign or {}).items():
            kind = added.get(column, "")
            # A cast to varchar(n) would cut the value, where storing it fails.
            length = _LENGTH.fullmatch(kind)
            made = f"CAST(({expression}) AS {kind})" if kind and length is None else f"({expression})"
            too_long = f"char_length(CAST(made AS text)) > {length[1]}" if length else "made IS NULL"
            asked = f"SELECT count(*) FROM (SELECT {made} AS made FROM {ddl.quoted(fill.table)}) AS t WHERE {too_long}"
            where = f"{fill.title}: {column} = {expression}"
            try:
                with self.connection.begin_nested():
                    count = self.connection.exec_driver_sql(asked).scalar_one()
                if count and length:
                    what = f"{where} is too long for {kind} in {counted(count, 'row')} of {fill.table}."
                    yield _obstacle(plan, Stretch.BACKFILL, what)
            except DBAPIError as failure:
                if (sqlstate(failure) or "").startswith(_DATA):
                    what = f"{where} fails on the rows of {fill.table}: {reason(failure)}."
                    yield _obstacle(plan, Stretch.BACKFILL, what)


def _added(plan: Plan) -> Iterator[tuple[str, str]]:
    """The columns that the revision adds, and their types."""
    for step in plan.expand:
        for statement in step.statements:
            if found := _ADDED.match(statement):
                yield found[1] or found[2], _CLAUSES.sub("", found[3])


def _obstacle(plan: Plan, stretch: Stretch, what: str) -> Obstacle:
    return Obstacle(revision=plan.revision, phase=stretch, what=what)
