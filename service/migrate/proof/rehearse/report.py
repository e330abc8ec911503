"""The report of a rehearsal: a table for a person, a document for a program."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from service.db.counting import counted
from service.migrate.proof.rehearse.judge import Finding, Row
from service.migrate.proof.rehearse.phases import PLAIN, SAFE
from service.migrate.proof.rehearse.run import Result

_HEADS = (
    "phase",
    "serving",
    "requests",
    "writes",
    "failed",
    "retries",
    "read back",
    "lost",
    "p99 ms",
    "ratio",
    "max ms",
    "write max",
    "waited ms",
    "held ms",
    "WAL MB",
    "s",
)
_LEFT = 2
_STYLES = {SAFE: "", PLAIN: "; the same change in Alembic's plain style"}


def document(result: Result, rows: Sequence[Row], findings: Sequence[Finding]) -> dict[str, Any]:
    """Everything, as --json prints it."""
    return {
        "revisions": result.revisions,
        "previous": result.previous,
        "note": result.note,
        "unused": result.unused,
        "phases": [
            {
                **msgspec.to_builtins(row.measured),
                "failed": row.failed,
                "causes": row.causes,
                "lost": row.lost,
                "p99_ratio": row.p99_ratio,
            }
            for row in rows
        ],
        "findings": msgspec.to_builtins(list(findings)),
    }


def lines(result: Result, rows: Sequence[Row], findings: Sequence[Finding]) -> Iterator[str]:
    """A table for each database and number of rows, then the findings."""
    if result.note:
        yield result.note
        return
    yield f"Previous version {result.previous[:12]}; new: {', '.join(result.revisions)}."
    kinds = [(row.measured.database, row.measured.rows, row.measured.style) for row in rows]
    for database, size, style in dict.fromkeys(kinds):
        chosen = [row for row, kind in zip(rows, kinds, strict=True) if kind == (database, size, style)]
        yield ""
        yield f"{_name(database)}, {size:,} rows in each table{_STYLES[style]}"
        yield from _table([_HEADS, *map(_cells, chosen)])
    yield ""
    for row in rows:
        if row.measured.style == PLAIN and (row.measured.error or row.causes):
            listed = "; ".join(f"{cause} ({count:,} times)" for cause, count in list(row.causes.items())[:4])
            yield f"  {row.measured.described} (baseline): {'; '.join(filter(None, (row.measured.error, listed)))}"
    for each in findings:
        yield f"  {' '.join(filter(None, (each.phase, each.revision)))} on {_name(each.database)}: {each.what}"
    requests = sum(row.measured.seen.requests for row in rows)
    yield f"{counted(len(result.revisions), 'revision')}, {requests:,} requests: {counted(len(findings), 'finding')}."


def _cells(row: Row) -> tuple[str, ...]:
    one, seen, locks = row.measured, row.measured.seen, row.measured.locks
    return (
        one.described + (f" ({counted(one.migrator_kills, 'kill')})" if one.migrator_kills else ""),
        "+".join(one.serving),
        f"{seen.requests:,}",
        f"{seen.writes:,}",
        f"{row.failed:,}",
        f"{seen.retries + one.migrator_retries:,}",
        f"{seen.read_back:,}",
        f"{row.lost:,}",
        f"{seen.p99_ms:,.0f}",
        "" if row.p99_ratio is None else f"{row.p99_ratio:,.1f}",
        f"{seen.longest_ms:,.0f}",
        f"{seen.write_longest_ms:,.0f}",
        *((f"{locks.waited_ms:,.0f}", f"{locks.held_ms:,.0f}") if one.database == "postgresql" else ("", "")),
        f"{one.wal_bytes / 1e6:,.1f}",
        f"{one.seconds:.1f}",
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            each.ljust(width) if at < _LEFT else each.rjust(width)
            for at, (each, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _name(database: str) -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
