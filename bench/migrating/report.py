"""The report of a run as tables or JSON, and the bars that the changes with `ops` must reach."""

from collections.abc import Iterator

import msgspec
from rich.console import Console
from rich.table import Table

_LOCK_WAIT_MS = 60.0
_HELD_MS = 25.0
_WIDE = 150


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic without a schema change."""

    requests: int
    longest_ms: float
    p99_ms: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Upgrade and downgrade of one operation in one style; `lost` counts confirmed writes that were lost."""

    operation: str
    style: str
    requests: int
    failed: int
    failures: dict[str, int]
    lost: int
    longest_ms: float
    p99_ms: float
    waited_ms: float
    held_ms: float
    up_seconds: float
    down_seconds: float
    rows_per_second: float
    problem: str = ""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements with one number of rows."""

    rows: int
    version: str
    control: Control
    measured: list[Measured]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements of a run, with the machine and the settings."""

    machine: str
    settings: dict[str, object]
    sizes: list[Size]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A required figure, the measured value, and whether the bar is met."""

    what: str
    value: float
    bar: str
    met: bool


def bars(report: Report) -> Iterator[Bar]:
    """Yield the bars of the changes with `ops`."""
    ours = [(size, each) for size in report.sizes for each in size.measured if each.style == "ours"]
    if not ours:
        return
    for what, most, values in (
        ("failed requests", 0.0, [float(each.failed) for _, each in ours]),
        ("changes not done", 0.0, [float(bool(each.problem)) for _, each in ours]),
        ("confirmed writes lost", 0.0, [float(each.lost) for _, each in ours]),
        ("longest wait for a lock caused, ms", _LOCK_WAIT_MS, [each.waited_ms for _, each in ours]),
        ("longest lock held that others wait for, ms", _HELD_MS, [each.held_ms for _, each in ours]),
    ):
        yield Bar(what=what, value=max(values), bar=f"≤ {most:g}", met=max(values) <= most)


_HEADS = (
    "operation",
    "style",
    "requests",
    "failed",
    "lost",
    "longest ms",
    "p99 ms",
    "waited ms",
    "held ms",
    "up s",
    "down s",
    "rows/s",
)


def _rows(size: Size) -> Iterator[tuple[str, ...]]:
    control = size.control
    yield (
        "no change",
        "",
        f"{control.requests:,}",
        "",
        "",
        f"{control.longest_ms:,.0f}",
        f"{control.p99_ms:.0f}",
        "",
        "",
        "",
        "",
        "",
    )
    for each in size.measured:
        yield (
            each.operation,
            each.style,
            f"{each.requests:,}",
            f"{each.failed:,}",
            f"{each.lost:,}",
            f"{each.longest_ms:,.0f}",
            f"{each.p99_ms:.0f}",
            f"{each.waited_ms:,.0f}",
            f"{each.held_ms:,.0f}",
            f"{each.up_seconds:.1f}",
            f"{each.down_seconds:.1f}",
            each.problem or (f"{each.rows_per_second:,.0f}" if each.rows_per_second else ""),
        )


def described(machine: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def print_tables(report: Report) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=_WIDE)
    console.print(report.machine)
    for size in report.sizes:
        table = Table(*_HEADS, title=f"{size.version}, {size.rows:,} users", title_justify="left")
        for row in _rows(size):
            table.add_row(*row)
        console.print(table)
    table = Table("to reach, in safe steps", "measured", "bar", "", title_justify="left")
    for bar in bars(report):
        table.add_row(bar.what, f"{bar.value:,.1f}", bar.bar, "yes" if bar.met else "no")
    console.print(table)


def markdown(report: Report) -> str:
    """The tables in Markdown, as docs/performance.md has them."""
    lines = [report.machine, ""]
    for size in report.sizes:
        lines += [f"### {size.version}, {size.rows:,} users", "", *_table(_HEADS, _rows(size)), ""]
    found = [(bar.what, f"{bar.value:,.1f}", bar.bar, "yes" if bar.met else "no") for bar in bars(report)]
    return "\n".join([*lines, *_table(("to reach, in safe steps", "measured", "bar", ""), iter(found))])


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    rule = ["---", "---", *("--:" for _ in heads[2:])]
    return [f"| {' | '.join(each)} |" for each in (heads, rule, *rows)]
