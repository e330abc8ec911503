"""Findings of a verification: what a revision broke, with the rule, the file and the line of the phase."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from service.db.counting import counted
from service.migrate.plan.faults import shown
from service.migrate.proof.finding import Finding, Level
from service.migrate.proof.revisions import line_of
from service.migrate.proof.verify import sequences
from service.migrate.proof.verify.values import Snapshot, Values, added, lost


class Rule(StrEnum):
    """What a verification looks at."""

    FAILS = "verify-fails"
    VALUES = "verify-values"
    ADDED = "verify-added-rows"
    CATALOG = "verify-catalog"
    SEQUENCES = "verify-sequences"
    CALLERS = "verify-callers"
    OWN = "verify-own-checks"
    ROWS = "verify-rows"
    MODELS = "verify-models"
    DATABASES = "verify-databases"


# What users feel, and what to write instead.
_TEXTS = {
    Rule.FAILS: ("the command fails on a database with rows", "Correct the phase that fails."),
    Rule.VALUES: (
        "what callers stored is gone",
        "Use the operation of ops, whose downgrade gives the values back, or keep them until the contract.",
    ),
    Rule.ADDED: (
        "a second upgrade adds rows again",
        'Delete them in downgrade(), or declare the tables: kept_rows = ("table",).',
    ),
    Rule.CATALOG: ("a second upgrade or a later revision meets another schema", "Undo each change in downgrade()."),
    Rule.SEQUENCES: (
        "INSERTs fail on duplicate keys, or ids are given again",
        "Set the sequence behind the greatest value.",
    ),
    Rule.CALLERS: (
        "requests of the version that is served in this phase fail",
        "Make the change in contract(), when that version is gone, or use the operation of ops.",
    ),
    Rule.OWN: ("the revision's own check fails", "Correct the revision, or its check."),
    Rule.ROWS: ("the revision is verified without rows in this table", "Give it a function seed_before(connection)."),
    Rule.MODELS: ("the code expects another schema", "Make the models and the revisions alike."),
    Rule.DATABASES: ("the two databases behave differently", "Make the same schema on both."),
}


def found(rule: Rule, what: str, *, revision: str, database: str, phase: str, file: str = "", line: int = 0) -> Finding:
    """The finding, with the texts of its rule."""
    effect, advice = _TEXTS[rule]
    return Finding(
        rule=rule,
        level=Level.ERROR,
        revision=revision,
        what=what,
        file=file,
        line=line,
        database=database,
        phase=phase,
        effect=effect,
        advice=advice,
    )


@dataclass(kw_only=True)
class Findings:
    """Collects the findings of one revision on one database, each once.

    `filled` are the columns whose NULLs the revision says it replaces, and the version columns that this raises; `kept`
    the tables in which it says its downgrade leaves rows.
    """

    revision: str
    database: str
    file: Path
    filled: Collection[tuple[str, str]] = ()
    versions: Collection[tuple[str, str]] = ()
    kept: Collection[str] = ()
    all: list[Finding] = field(default_factory=list, init=False)
    notes: list[str] = field(default_factory=list, init=False)

    def add(self, rule: Rule, phase: str, what: str) -> None:
        name = next((each for each in phase.split() if each in _FUNCTIONS), "upgrade")
        finding = found(
            rule,
            what,
            revision=self.revision,
            database=self.database,
            phase=phase,
            file=shown(self.file),
            line=line_of(self.file, name),
        )
        if finding not in self.all:
            self.all.append(finding)

    def compare(self, before: Snapshot, after: Snapshot, phase: str) -> None:
        """Values, positions of sequences and the catalog must be the same."""
        self.compare_values(before.values, after.values, phase)
        self._compare_rows(before.values, after.values, phase)
        self.compare_positions(before, after, phase)
        for line in sorted(set(before.catalog) - set(after.catalog)):
            self.add(Rule.CATALOG, phase, f"the catalog lacks: {line}")
        for line in sorted(set(after.catalog) - set(before.catalog)):
            self.add(Rule.CATALOG, phase, f"the catalog has in addition: {line}")

    def compare_values(self, before: Values, after: Values, phase: str, *, of_both: bool = False) -> None:
        """No value may be lost; with `of_both`, of the columns that both have."""
        for each in lost(before, self._undeclared(before, after), of_both=of_both):
            self.add(Rule.VALUES, phase, each)

    def _compare_rows(self, before: Values, after: Values, phase: str) -> None:
        """No row may be added: a second upgrade would add rows again."""
        for table, ids in added(before, after).items():
            if table in self.kept:
                self._note(f"rows that the upgrade adds to {table} stay after a downgrade")
                continue
            self.add(Rule.ADDED, phase, f"{table}: {counted(len(ids), 'row')} more than before, such as {ids[0]}")

    def compare_positions(self, before: Snapshot, after: Snapshot, phase: str) -> None:
        for each in sequences.behind(before.positions, after.positions):
            self.add(Rule.SEQUENCES, phase, each)

    def _undeclared(self, before: Values, after: Values) -> Values:
        """The values of after, where a declared change is no difference to before."""
        changed = dict(after)
        for name in {*self.filled, *self.versions} & before.keys() & after.keys():
            was, now = before[name], after[name]
            declared = [
                id
                for id in was.keys() & now.keys()
                if was[id] != now[id] and (name in self.versions or was[id] in _NULLS)
            ]
            changed[name] = now | {id: was[id] for id in declared}
            if declared and name in self.filled:
                self._note(f"NULL in {'.'.join(name)} is replaced, and a downgrade does not bring it back")
        return changed

    def _note(self, what: str) -> None:
        note = f"{self.revision}: {what}"
        self.notes += [] if note in self.notes else [note]


_FUNCTIONS = ("upgrade", "backfill", "contract", "downgrade", "seed_before", "assert_after")
# As PostgreSQL and SQLite quote it.
_NULLS = ("NULL", "null NULL")
