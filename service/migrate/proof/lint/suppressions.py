"""Comments in a revision that suppress findings: `# lint: ignore[rule-id] until 2027-03-01: reason`."""

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from service.migrate.proof.finding import Finding, Level
from service.migrate.proof.lint.examining import Examined
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.rule import RULES, Family, Rule, Rules

_COMMENT = re.compile(r"#\s*lint:\s*(.*)", re.IGNORECASE)
_WELL_FORMED = re.compile(r"ignore\[([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)\] until (\d{4}-\d\d-\d\d): (\S.*)")
_FORM = "# lint: ignore[rule-id] until 2027-03-01: the reason"

rules = Rules(family=Family.HISTORY, databases=("postgresql", "sqlite"))
MALFORMED = rules.declare(
    id="malformed-suppression",
    effect="The comment suppresses nothing.",
    advice=f"Write `{_FORM}`, on the line of the call or the line above",
)
EXPIRED = rules.declare(
    id="expired-suppression",
    effect="What was accepted for a time is there still.",
    advice="Do it the safe way now, or set a later day with a reason for it",
)
UNUSED = rules.declare(
    id="unused-suppression",
    effect="The comment would hide a later mistake.",
    advice="Delete the comment",
    level=Level.WARNING,
)


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """A comment: the rules it is about, and its last day."""

    line: int
    rules: tuple[str, ...]
    until: date
    # The line that the comment stands above; its own line where code precedes it.
    covers: int


def applied(revision: Revision, found: Sequence[Examined], today: date) -> tuple[list[Finding], list[Finding]]:
    """The findings that no comment suppresses, and the findings about the comments."""
    read = list(_read(revision.source))
    suppressions = [each for each in read if isinstance(each, Suppression)]
    about = [
        _finding(MALFORMED, revision, line, what) for line, what in (each for each in read if isinstance(each, tuple))
    ]
    used: set[tuple[int, str]] = set()
    kept = []
    for each in found:
        matching = [
            one
            for one in suppressions
            if each.finding.rule in one.rules and one.covers in each.lines and one.until >= today
        ]
        used |= {(one.line, each.finding.rule) for one in matching}
        if not matching:
            kept.append(each.finding)
    for one in suppressions:
        if one.until < today:
            about.append(_finding(EXPIRED, revision, one.line, f"The comment was valid until {one.until}"))
            continue
        for rule in one.rules:
            if rule not in RULES:
                about.append(_finding(MALFORMED, revision, one.line, f"There is no rule {rule}"))
            elif (one.line, rule) not in used:
                about.append(_finding(UNUSED, revision, one.line, f"The line has no finding of {rule}"))
    return kept, about


def _read(source: str) -> Iterator[Suppression | tuple[int, str]]:
    """Each comment of a file, or its line and what is wrong with it."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        comment = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if comment is None:
            continue
        line = token.start[0]
        written = _WELL_FORMED.fullmatch(comment[1].strip())
        if written is None:
            yield line, f"The comment is not `{_FORM}`"
            continue
        try:
            until = date.fromisoformat(written[2])
        except ValueError:
            yield line, f"There is no day {written[2]}"
            continue
        is_alone = not lines[line - 1][: token.start[1]].strip()
        yield Suppression(
            line=line,
            rules=tuple(each.strip() for each in written[1].split(",")),
            until=until,
            covers=_next_code(lines, line) if is_alone else line,
        )


def _next_code(lines: Sequence[str], line: int) -> int:
    """The first line below a comment that is neither a comment nor empty; several comments may stand above a call."""
    for at in range(line, len(lines)):
        if lines[at].strip() and not lines[at].lstrip().startswith("#"):
            return at + 1
    return line


def _finding(declared: Rule, revision: Revision, line: int, what: str) -> Finding:
    return Finding(
        rule=declared.id,
        level=declared.level,
        revision=revision.id,
        file=revision.file,
        line=line,
        what=what,
        effect=declared.effect,
        advice=declared.advice,
    )
