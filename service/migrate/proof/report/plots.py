"""Bars over the phases of a rehearsal, as SVG that fits a phone."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from service.migrate.proof.report.documents import Phase

_WIDTH = 420
_ROOM = 74
_LABEL = 18
_BAR = 11
_GAP = 8


class Series(NamedTuple):
    """Bars of one kind: the class of the style, the name, and a value for each phase."""

    style: str
    name: str
    values: Sequence[float]


def latency(phases: Sequence[Phase]) -> str:
    """The latency of requests in each phase."""
    return _drawn(
        "Latency of requests, in milliseconds",
        [each.name for each in phases],
        [
            Series("one", "p99", [each.seen.p99_ms for each in phases]),
            Series("two", "longest", [each.seen.longest_ms for each in phases]),
            Series("three", "longest write", [each.seen.write_longest_ms for each in phases]),
        ],
    )


def lock_waits(phases: Sequence[Phase]) -> str:
    """The longest wait for a lock of the migrator, and the longest blocking lock, in each phase."""
    return _drawn(
        "Locks of the migrator, in milliseconds",
        [each.name for each in phases],
        [
            Series("one", "longest wait of a request", [each.locks.waited_ms for each in phases]),
            Series("two", "longest blocking lock held", [each.locks.held_ms for each in phases]),
        ],
    )


def _drawn(title: str, names: Sequence[str], series: Sequence[Series]) -> str:
    most = max((value for each in series for value in each.values), default=0.0) or 1.0
    step = _LABEL + _BAR * len(series) + _GAP
    height = 30 + step * len(names)
    body = [line for at, name in enumerate(names) for line in _phase(name, at, 30 + at * step, series, most)]
    return "\n".join(
        [
            f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">',
            f"<title>{escape(title)}</title>",
            *_legend(series),
            *body,
            "</svg>",
        ]
    )


def _legend(series: Sequence[Series]) -> Iterator[str]:
    x = 0.0
    for each in series:
        yield f'<rect class="{each.style}" x="{x:.0f}" y="4" width="11" height="11" rx="2"/>'
        yield f'<text x="{x + 16:.0f}" y="14">{escape(each.name)}</text>'
        x += 30 + 7 * len(each.name)


def _phase(name: str, at: int, y: float, series: Sequence[Series], most: float) -> Iterator[str]:
    yield f'<text class="label" x="0" y="{y + 13:.0f}">{escape(name)}</text>'
    for number, each in enumerate(series):
        top = y + _LABEL + number * _BAR
        width = max((_WIDTH - _ROOM) * each.values[at] / most, 1.0)
        yield f'<rect class="{each.style}" x="0" y="{top:.0f}" width="{width:.1f}" height="{_BAR - 2}" rx="2"/>'
        yield f'<text class="value" x="{width + 6:.1f}" y="{top + _BAR - 3:.0f}">{each.values[at]:,.1f}</text>'
