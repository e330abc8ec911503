"""Draws line charts as SVG: a grid of panels that share their colours and their horizontal axis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_COLORS = ("#0969da", "#bf3989", "#1a7f37", "#9a6700")
_WIDTH, _HEIGHT = 190, 120
_LEFT, _TOP, _GAP_X, _GAP_Y = 62, 62, 62, 58
_FONT = 'font-family="system-ui, sans-serif" font-size="11"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart: for each line, its name and its values at each position of the horizontal axis."""

    title: str
    lines: Mapping[str, Sequence[float]]


def draw(title: str, axis: Sequence[str], rows: Mapping[str, Sequence[Panel]]) -> str:
    """Return the SVG of rows of panels; each row has a heading, and its panels begin at zero."""
    columns = max(len(panels) for panels in rows.values())
    width = _LEFT + columns * (_WIDTH + _GAP_X)
    height = _TOP + len(rows) * (_HEIGHT + _GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT} fill="#1f2328">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="13" font-weight="600">{escape(title)}</text>',
        *_legend(next(iter(rows.values()))[0].lines),
    ]
    for down, (heading, panels) in enumerate(rows.items()):
        top = _TOP + down * (_HEIGHT + _GAP_Y)
        for across, panel in enumerate(panels):
            parts += _panel(_LEFT + across * (_WIDTH + _GAP_X), top, f"{panel.title}, {heading}", axis, panel.lines)
    return "\n".join([*parts, "</svg>\n"])


def _legend(names: Mapping[str, object]) -> Iterator[str]:
    for at, name in enumerate(names):
        x = 12 + at * 150
        yield f'<path d="M{x} 36h20" stroke="{_COLORS[at]}" stroke-width="2"/>'
        yield f'<text x="{x + 26}" y="40">{escape(name)}</text>'


def _panel(left: int, top: int, title: str, axis: Sequence[str], lines: Mapping[str, Sequence[float]]) -> Iterator[str]:
    most = _round_up(max(max(values) for values in lines.values()))
    step = _WIDTH / max(1, len(axis) - 1)
    yield f'<text x="{left}" y="{top - 6}" font-weight="600">{escape(title)}</text>'
    for share in (0, 0.5, 1):
        y = top + _HEIGHT * (1 - share)
        yield f'<path d="M{left} {y:g}h{_WIDTH}" stroke="#d1d9e0"/>'
        yield f'<text x="{left - 6}" y="{y + 4:g}" text-anchor="end" fill="#59636e">{most * share:,g}</text>'
    for at, name in enumerate(axis):
        x = left + at * step
        yield f'<text x="{x:g}" y="{top + _HEIGHT + 16}" text-anchor="middle" fill="#59636e">{escape(name)}</text>'
    for color, values in zip(_COLORS, lines.values(), strict=False):
        points = " ".join(
            f"{left + at * step:.1f},{top + _HEIGHT * (1 - value / most):.1f}" for at, value in enumerate(values)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'


def _round_up(value: float) -> float:
    """Return the next value of 1, 2, 4, 5, 8 or 10 times a power of ten."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * each for each in (1, 2, 4, 5, 8, 10) if power * each >= value)
