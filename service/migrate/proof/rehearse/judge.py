"""The verdict on a rehearsal: what each phase cost its callers, beside the control, and the bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from service.migrate.proof.rehearse.messages import Locks, Seen
from service.migrate.proof.rehearse.phases import CONTROL, SAFE

# A machine that stalls processes longer excuses no lock.
_MOST_STALL_MS = 100.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One phase on one database; `error` is the last of the migrator."""

    database: str
    rows: int
    phase: str
    direction: str
    revision: str
    serving: tuple[str, ...]
    seen: Seen
    locks: Locks
    seconds: float
    migrator_seconds: float = 0.0
    migrator_retries: int = 0
    migrator_kills: int = 0
    wal_bytes: int = 0
    # Objects that only this run has (+), or only one without faults (-).
    differences: tuple[str, ...] = ()
    error: str = ""
    style: str = SAFE

    @property
    def described(self) -> str:
        return f"{self.phase} {self.revision}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The most that a phase may cost; `None` is no bar."""

    failed: int = 0
    lost: int = 0
    lock_wait_ms: float | None = None
    lock_held_ms: float | None = None
    stall_ms: float | None = None
    p99_ratio: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A phase that costs more than a bar."""

    database: str
    phase: str
    revision: str
    what: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A phase with what only the comparison with the control shows."""

    measured: Measured
    failed: int
    causes: dict[str, int]
    lost: int
    p99_ratio: float | None


def judged(measured: Sequence[Measured], bars: Bars) -> tuple[list[Row], list[Finding]]:
    """The rows of the table, and what is beyond a bar.

    Client errors (4xx) that the control met too are the load's own; others count as failed requests. The baseline, in
    the plain style, has no bars.
    """
    rows, findings = [], []
    for each in measured:
        control = _control(measured, each)
        row = _row(each, control)
        rows.append(row)
        findings += [
            Finding(database=each.database, phase=each.phase, revision=each.revision, what=what)
            for what in (_beyond(row, bars, control) if each.style == SAFE else ())
        ]
    return rows, findings


def _control(measured: Sequence[Measured], one: Measured) -> Measured | None:
    wanted = (CONTROL, one.style, one.database, one.rows)
    return next((each for each in measured if (each.phase, each.style, each.database, each.rows) == wanted), None)


def _row(one: Measured, control: Measured | None) -> Row:
    usual = {_of_any_version(each) for each in control.seen.refusals} if control else set()
    causes = dict(one.seen.failures)
    if control is not one:
        causes |= {name: count for name, count in one.seen.refusals.items() if _of_any_version(name) not in usual}
    base = control.seen.p99_ms if control else 0.0
    return Row(
        measured=one,
        failed=sum(causes.values()),
        causes=causes,
        lost=one.seen.lost_rows + one.seen.lost_updates + one.seen.lost_values,
        p99_ratio=round(one.seen.p99_ms / base, 2) if base and control is not one else None,
    )


def _of_any_version(cause: str) -> str:
    """An operation and its status, without the version that was asked."""
    return cause.partition(": ")[2]


def _beyond(row: Row, bars: Bars, control: Measured | None) -> Iterator[str]:
    one = row.measured
    if one.error:
        yield one.error
    if one.differences:
        listed = "; ".join(one.differences[:4])
        yield f"the schema differs from that of a run without faults (+ only here, - only there): {listed}"
    if row.failed > bars.failed:
        listed = "; ".join(
            f"{cause} ({count:,} times)" for cause, count in sorted(row.causes.items(), key=_by_count)[:4]
        )
        yield f"{row.failed:,} failed requests: {listed}"
    if row.lost > bars.lost:
        yield f"{row.lost:,} acknowledged writes lost: {'; '.join(one.seen.losses[:3])}"
    if not one.seen.requests and not one.error:
        yield "no request was answered"
    if one.migrator_seconds:
        yield from _too_long(one, bars, min(control.locks.gap_ms, _MOST_STALL_MS) if control else 0.0)
    if bars.p99_ratio is not None and (row.p99_ratio or 0) > bars.p99_ratio:
        yield f"p99 is {one.seen.p99_ms:,.1f} ms, {row.p99_ratio} times that of the control"


def _too_long(one: Measured, bars: Bars, stall_ms: float) -> Iterator[str]:
    """`stall_ms` is what the machine adds: so long it kept a process of the control from running."""
    if one.database == "sqlite":
        if bars.stall_ms is not None and one.seen.write_longest_ms > bars.stall_ms:
            yield f"a write took {one.seen.write_longest_ms:,.1f} ms"
        return
    locks = one.locks
    if bars.lock_wait_ms is not None and locks.waited_ms > bars.lock_wait_ms + stall_ms:
        yield f"a request waited {locks.waited_ms:,.1f} ms for the migrator ({locks.waiting})"
    if bars.lock_held_ms is not None and locks.held_ms > bars.lock_held_ms + stall_ms:
        yield f"the migrator held a blocking lock for {locks.held_ms:,.1f} ms ({locks.holding})"


def _by_count(item: tuple[str, int]) -> int:
    return -item[1]
