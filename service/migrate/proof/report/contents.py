"""What a report says, before it is written as Markdown or HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from service.db.counting import counted
from service.migrate.proof.rehearse.phases import SAFE
from service.migrate.proof.report.documents import Finding, Lint, Phase, Plan, Planned, Rehearsal, Verify

_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "both": "both databases"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One finding of one tool; a note does not fail the report."""

    tool: str
    revision: str
    where: str
    what: str
    advice: str = ""
    is_note: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The documents that there are."""

    verify: Verify | None = None
    lint: Lint | None = None
    plan: Plan | None = None
    rehearsal: Rehearsal | None = None
    lines: tuple[Line, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self._lines()))

    @property
    def findings(self) -> tuple[Line, ...]:
        return tuple(each for each in self.lines if not each.is_note)

    @property
    def verdict(self) -> str:
        return counted(len(self.findings), "finding") if self.findings else "no finding"

    @property
    def revisions(self) -> list[str]:
        """The revisions that the documents are about; those of a plan only if it is the one document."""
        lists = [
            self.lint.revisions if self.lint else [],
            self.rehearsal.revisions if self.rehearsal else [],
            [each.revision for each in self.verify.verified] if self.verify else [],
        ]
        if not any(lists) and self.plan:
            lists = [[each.revision for each in self.plan.planned]]
        return list(dict.fromkeys(each for one in lists for each in one))

    @property
    def summary(self) -> list[tuple[str, str]]:
        """Each tool, and what it looked at."""
        found = []
        if self.verify is not None:
            databases = " and ".join(name_of(each) for each in dict.fromkeys(v.database for v in self.verify.verified))
            rows = sum(each.rows for each in self.verify.verified)
            what = f"{counted(len({each.revision for each in self.verify.verified}), 'revision')} up, down and up again"
            found.append(("verify", f"{what} on {databases or 'no database'}, {counted(rows, 'row')}"))
        if self.lint is not None:
            suppressed = f", {self.lint.suppressed} suppressed" if self.lint.suppressed else ""
            found.append(("lint", f"{counted(len(self.lint.revisions), 'revision')} examined{suppressed}"))
        if self.plan is not None:
            actions = counted(len(self.plan.planned), "action")
            found.append(("plan", f"{actions} on {self.plan.database}{duration(self.plan.planned)}"))
        if self.rehearsal is not None:
            safe = [each for each in self.rehearsal.phases if each.style == SAFE]
            requests, failed = sum(each.seen.requests for each in safe), sum(each.failed for each in safe)
            lost = counted(sum(each.lost for each in safe), "write")
            what = self.rehearsal.note or f"{requests:,} requests, {failed:,} failed, {lost} lost"
            found.append(("rehearse", what))
        return found

    @property
    def runs(self) -> list[tuple[str, list[Phase]]]:
        """The phases of the rehearsal by database, number of rows and style, each with a heading."""
        phases = self.rehearsal.phases if self.rehearsal else []
        keys = dict.fromkeys((each.database, each.rows, each.style) for each in phases)
        return [
            (
                f"{name_of(database)}, {rows:,} rows in each table{'' if style == SAFE else ', in the plain style'}",
                [each for each in phases if (each.database, each.rows, each.style) == (database, rows, style)],
            )
            for database, rows, style in keys
        ]

    def _lines(self) -> Iterator[Line]:
        for tool, document in (("verify", self.verify), ("lint", self.lint), ("rehearse", self.rehearsal)):
            yield from _of_findings(tool, document.findings if document is not None else ())
        if self.plan is not None:
            for each in self.plan.obstacles:
                what = each.what if each.is_certain else f"may fail: {each.what}"
                yield Line(
                    tool="plan", revision=each.revision, where=each.phase, what=what, is_note=not each.is_certain
                )
            yield from (
                Line(tool="plan", revision="", where="now", what=each, is_note=True) for each in self.plan.blockers
            )


def _of_findings(tool: str, findings: Sequence[Finding]) -> Iterator[Line]:
    for each in findings:
        place = f"{each.file}:{each.line}" if each.file else ""
        where = ", ".join(filter(None, (name_of(each.database), each.phase, place)))
        what = ". ".join(filter(None, (each.what.rstrip("."), each.effect.rstrip("."))))
        rule = f"{each.rule}: " if each.rule else ""
        yield Line(tool=tool, revision=each.revision, where=where, what=f"{rule}{what}", advice=each.advice)


def duration(planned: Sequence[Planned]) -> str:
    """What a line about the actions says of their duration; that of a revision in the plain style is unknown."""
    known = [each.seconds for each in planned if each.seconds is not None]
    if planned and not known:
        return ", of unknown duration"
    more = "" if len(known) == len(planned) else " and the unknown duration of plain revisions"
    return f", about {sum(known):.2g} s{more}"


def locks_of(phase: Phase) -> tuple[str, str]:
    """The longest wait for the migrator and the longest lock that it held; SQLite has no locks to measure."""
    if phase.database == "sqlite":
        return "", ""
    return f"{phase.locks.waited_ms:,.0f}", f"{phase.locks.held_ms:,.0f}"


def name_of(database: str) -> str:
    return _NAMES.get(database, database)
