"""Predicted durations: work on rows in multiples of a computation that the database does now, read only."""

import re
import time
from dataclasses import dataclass

from sqlalchemy import Connection

from service.migrate.operations.step import Action, Backfill, Step
from service.migrate.proof.trace.observed import Observed

# The computation, and its seconds on the machine on which the costs below were measured (`python -m bench.plan`).
_COMPUTATION = {
    "postgresql": "SELECT sum(length(md5(i::text))) FROM generate_series(1, 20000) AS i",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    "SELECT sum(length(hex(i * 7919))) FROM n",
}
_REFERENCE_SECONDS = {"postgresql": 0.0085, "sqlite": 0.0075}
# Seconds of a step without work on rows: its own transaction and three of the ledger.
_STEP_SECONDS = {"postgresql": 0.03, "sqlite": 0.01}
# Seconds of a command: it reads the project and connects.
_COMMAND_SECONDS = {"postgresql": 0.15, "sqlite": 0.05}
# Seconds for each row: one that a backfill writes, and one that it walks past.
_FILL = {"postgresql": 2.1e-5, "sqlite": 1.5e-5}
_WALK = {"postgresql": 1.5e-6, "sqlite": 1.0e-6}
_UPDATE = 1.5e-6
_INDEX = {"postgresql": 1.3e-6, "sqlite": 1.0e-6}
_VALIDATE = 1.2e-7
_VALIDATE_KEY = 4.0e-7
_REBUILD = 2.2e-6
# A row that a statement of a revision in Alembic's plain style updates or deletes, with its indexes.
_WRITE = {"postgresql": 5.0e-6, "sqlite": 6.0e-7}
# A row that a table of SQLite is copied with, or that PostgreSQL rewrites.
_COPY = {"postgresql": 1.6e-6, "sqlite": 8.0e-7}
_STATEMENT_SECONDS = 0.002
# A backfill rests for as long as it works.
_REST = 2.0

_CREATES_INDEX = re.compile(r"\bCREATE (?:UNIQUE )?INDEX\b")
_UPDATES = re.compile(r"^UPDATE\b", re.MULTILINE)
_COPIES = re.compile(r"\bINSERT (OR \w+ )?INTO\b.*\bSELECT\b|\bDROP COLUMN\b", re.IGNORECASE | re.DOTALL)
_WRITES = re.compile(r"\s*(UPDATE|DELETE)\b", re.IGNORECASE)
_VALIDATES = re.compile(r"\bVALIDATE CONSTRAINT\b")
_REWRITES = re.compile(r"\bALTER COLUMN \S+ TYPE\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long work takes on this database; `factor` is its slowness compared with the machine of the costs.

    `filled_per_second` are the rows that its last backfill wrote, rests included, if it had enough of them.
    """

    dialect: str
    factor: float
    filled_per_second: float | None = None

    @property
    def command_seconds(self) -> float:
        """What a command takes without any step."""
        return self.factor * _COMMAND_SECONDS[self.dialect]

    def seconds(self, action: Action, rows: int, to_fill: int = 0) -> float:
        """The duration of an action on a table of these rows, of which a backfill writes `to_fill`."""
        if isinstance(action, Backfill):
            walked = self.factor * (_STEP_SECONDS[self.dialect] + rows * _WALK[self.dialect] * _REST)
            if self.filled_per_second:
                return walked + to_fill / self.filled_per_second
            return walked + self.factor * to_fill * _FILL[self.dialect] * _REST
        return self.factor * (_STEP_SECONDS[self.dialect] + rows * self._of_row(action))

    def of_statement(self, observed: Observed, rows: int) -> float:
        """The duration of a statement of a plain revision on a table of these rows, by the work that it did."""
        text = observed.statement
        cost = _INDEX[self.dialect] * len(_CREATES_INDEX.findall(text))
        if self.dialect == "sqlite":
            cost += _COPY["sqlite"] if _COPIES.search(text) else _WRITE["sqlite"] if _WRITES.match(text) else 0.0
        elif observed.rewritten:
            cost = _COPY["postgresql"]
        elif observed.changed:
            cost = _WRITE["postgresql"]
        elif "FOREIGN KEY" in text and "NOT VALID" not in text:
            cost = _VALIDATE_KEY
        elif observed.scanned and not cost:
            cost = _VALIDATE
        return self.factor * (_STATEMENT_SECONDS + rows * cost)

    def _of_row(self, step: Step) -> float:
        if step.edit is not None:
            return _REBUILD
        text = "\n".join(step.statements)
        cost = _INDEX[self.dialect] * len(_CREATES_INDEX.findall(text))
        cost += _UPDATE * len(_UPDATES.findall(text))
        if self.dialect == "sqlite" and step.title.startswith("SET DATA TYPE"):
            # A change of the type: the old values are copied and the table is rebuilt.
            cost += 2 * _REBUILD
        cost += len(_VALIDATES.findall(text)) * (_VALIDATE_KEY if "fk_" in text else _VALIDATE)
        return cost + _REBUILD * len(_REWRITES.findall(text))


def measured(connection: Connection, filled_per_second: float | None, within_seconds: float) -> Speed:
    """The speed now, as other programs leave it, by as many computations as fit into the time."""
    dialect = connection.dialect.name
    began, times, seconds = time.monotonic(), 0, 0.0
    while not times or seconds < within_seconds:
        connection.exec_driver_sql(_COMPUTATION[dialect]).scalar_one()
        times += 1
        seconds = time.monotonic() - began
    factor = seconds / times / _REFERENCE_SECONDS[dialect]
    return Speed(dialect=dialect, factor=factor, filled_per_second=filled_per_second)
