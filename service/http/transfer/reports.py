"""The result of an import: counts, errors, and the limit on errors."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import msgspec

from service.errors import Fault
from service.http.transfer.lines import BadLine

MOST_ERRORS = 1000

Mode = Literal["create", "upsert"]


class LineError(msgspec.Struct, frozen=True):
    """One error in one line."""

    line: Annotated[int, msgspec.Meta(ge=1, description="Counted from 1, including the header and blank lines.")]
    field: Annotated[str | None, msgspec.Meta(description="null when the error concerns the whole line.")]
    detail: str


class Report(msgspec.Struct, kw_only=True):
    """The result of an import: the number of lines that were created, updated, unchanged or failed."""

    mode: Mode
    dry_run: Annotated[
        bool, msgspec.Meta(description="true: nothing was stored, and the report is what would have happened.")
    ]
    atomic: bool
    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    stopped_at_line: Annotated[
        int | None,
        msgspec.Meta(
            description="The failed line at which max_errors was reached: no line after it was stored. "
            "null when the whole file was imported."
        ),
    ] = None
    skipped_columns: Annotated[
        list[str],
        msgspec.Meta(description="Columns of the file that were ignored because the service generates their values."),
    ] = []
    errors: Annotated[
        list[LineError], msgspec.Meta(max_length=MOST_ERRORS, description="The first errors, ordered by line.")
    ] = []
    errors_omitted: Annotated[int, msgspec.Meta(description="Failed lines of which `errors` names none.")] = 0

    def add(self, outcome: "Outcome") -> None:
        """Add the outcome of the next batch."""
        self.created += outcome.created
        self.updated += outcome.updated
        self.unchanged += outcome.unchanged
        self.failed += outcome.failed
        self.lines += outcome.created + outcome.updated + outcome.unchanged + outcome.failed
        listed: list[Fault] = []
        if room := MOST_ERRORS - len(self.errors):
            listed = sorted(outcome.faults, key=lambda fault: fault.line or 0)[:room]
        self.errors += [LineError(each.line or 0, each.field, each.detail) for each in listed]
        self.errors_omitted += outcome.failed - len({each.line for each in listed})

    def outcome(self) -> "Outcome":
        """Return the counts; an atomic import with a failed line has stored no other."""
        if self.atomic and self.failed:
            return Outcome(failed=self.failed)
        return Outcome(created=self.created, updated=self.updated, unchanged=self.unchanged, failed=self.failed)

    def faults(self) -> list[Fault]:
        """Return the errors in the form of a problem document."""
        return [Fault(line=each.line, field=each.field, detail=each.detail) for each in self.errors]


@dataclass(slots=True)
class Outcome:
    """The result of some lines; `keys` are the keys that their rows took (`True`) or gave up (`False`)."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    failed_lines: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    keys: dict[str, bool] = field(default_factory=dict)

    def fail(self, line: int, faults: Iterable[Fault]) -> None:
        """Count one line that failed."""
        self.failed += 1
        self.failed_lines.append(line)
        self.faults += faults

    def fail_all(self, lines: Sequence[BadLine]) -> None:
        """Count lines that failed."""
        if lines:
            self.failed += len(lines)
            self.failed_lines += [line.number for line in lines]
            self.faults += [fault for line in lines if line.faults for fault in line.faults]

    def add(self, other: "Outcome") -> None:
        """Count more lines."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.failed += other.failed
        self.failed_lines += other.failed_lines
        self.faults += other.faults
        self.keys |= other.keys

    def stop_after(self, failures: int) -> int | None:
        """Drop the failures after so many; return the line of the last one kept, `None` if there are fewer."""
        if self.failed < failures:
            return None
        self.failed_lines = sorted(self.failed_lines)[:failures]
        self.failed = failures
        last = self.failed_lines[-1]
        self.faults = [each for each in self.faults if (each.line or 0) <= last]
        return last


class Allowance(NamedTuple):
    """How many lines of a batch may fail, and the numbers of the invalid ones."""

    failures: int
    invalid: Sequence[int]

    def is_spent(self, failed: int, line: int) -> bool:
        """Return whether the last permitted failure is before `line`, where `failed` valid lines have failed."""
        return failed + bisect_left(self.invalid, line) >= self.failures

    def after(self, failed: int) -> "Allowance":
        """Return the allowance after so many valid lines have failed."""
        return Allowance(self.failures - failed, self.invalid)
