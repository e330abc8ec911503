"""The report as Markdown, for a comment or the summary of a job."""

import re
from collections.abc import Iterator, Sequence

from service.migrate.proof.report.contents import Contents, Line, locks_of

# GitHub cuts a summary at 1 MiB and a comment at 65,536 characters.
_MOST_ROWS = 60
_MOST_TEXT = 500
_SPECIAL = re.compile(r"([\\`*_\[\]<>#~|])")


def written(contents: Contents, diagram: str) -> str:
    """The text; `diagram` is the Mermaid source of what changes, or empty."""
    lines = [f"## Migrations: {contents.verdict}", ""]
    lines += [f"- **{tool}**: {_escaped(what)}" for tool, what in contents.summary]
    if contents.lines:
        lines += ["", *_findings(contents.lines)]
    if diagram:
        lines += [
            "",
            "<details><summary>What changes</summary>",
            "",
            "```mermaid",
            diagram.rstrip(),
            "```",
            "</details>",
        ]
    if contents.plan is not None and contents.plan.planned:
        lines += ["", "<details><summary>Plan</summary>", "", *_plan(contents), "</details>"]
    for heading, phases in contents.runs:
        rows = [
            (
                each.name,
                f"{each.seen.requests:,}",
                f"{each.failed:,}",
                f"{each.lost:,}",
                f"{each.seen.p99_ms:,.0f}",
                "" if each.p99_ratio is None else f"{each.p99_ratio:,.2f}",
                f"{each.seen.longest_ms:,.0f}",
                *locks_of(each),
            )
            for each in phases
        ]
        heads = ("phase", "requests", "failed", "lost", "p99 ms", "ratio", "max ms", "waited ms", "held ms")
        lines += ["", f"<details><summary>Rehearsal on {heading}</summary>", "", *_table(heads, rows), "</details>"]
    return "\n".join(lines) + "\n"


def _findings(lines: Sequence[Line]) -> Iterator[str]:
    rows = [
        (
            f"{each.tool}{' (note)' if each.is_note else ''}",
            each.revision,
            each.where,
            ". ".join(filter(None, (each.what, each.advice))),
        )
        for each in sorted(lines, key=lambda each: each.is_note)
    ]
    yield from _table(("tool", "revision", "where", "what"), rows)


def _plan(contents: Contents) -> Iterator[str]:
    planned = contents.plan.planned if contents.plan else []
    rows = [
        (
            each.phase,
            each.revision,
            each.title,
            f"{each.mode} on {', '.join(each.tables)}" if each.mode else "",
            "" if each.rows is None else f"{'' if each.is_exact else 'about '}{each.rows:,}",
            "" if each.seconds is None else f"{each.seconds:.2g} s",
        )
        for each in planned
    ]
    yield from _table(("phase", "revision", "step", "lock", "rows", "about"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(map(_escaped, row))} |" for row in rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        yield ""
        yield f"and {len(rows) - _MOST_ROWS:,} more"


def _escaped(text: str) -> str:
    """The text on one line, in which nothing is markup and nobody is mentioned."""
    line = " ".join(text.split())
    line = f"{line[:_MOST_TEXT]}…" if len(line) > _MOST_TEXT else line
    return _SPECIAL.sub(r"\\\1", line).replace("@", "@<!-- -->")
