"""The report of a run: a JSON document, tables on a terminal, or Markdown tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.bars import Bar, bars
from bench.contest import Measured, p50, p99, rate
from bench.rivals import FLOOR


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One rival at one operation: medians over the rounds, and medians of the ratios within a round."""

    operation: str
    title: str
    rival: str
    per_second: float | None
    p50_ms: float | None
    p99_ms: float | None
    rate_to_floor: float | None
    p99_to_floor: float | None
    processor_us: float | None
    peak_memory_mib: float | None
    failed: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The figures and bars of one database."""

    backend: str
    version: str
    figures: list[Figure]
    bars: list[Bar]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run, with the machine and the settings."""

    machine: dict[str, str]
    settings: dict[str, Any]
    databases: list[Part]


def part(backend: str, version: str, measured: Sequence[Measured]) -> Part:
    floors = {each.operation: each for each in measured if each.rival == FLOOR.name}
    figures = [_figure(each, floors.get(each.operation)) for each in measured]
    return Part(backend=backend, version=version, figures=figures, bars=list(bars(backend, measured)))


def _figure(measured: Measured, floor: Measured | None) -> Figure:
    return Figure(
        operation=measured.operation,
        title=measured.title,
        rival=measured.rival,
        per_second=measured.of(rate),
        p50_ms=measured.of(p50),
        p99_ms=measured.of(p99),
        rate_to_floor=measured.rate_to(floor) if floor else None,
        p99_to_floor=measured.p99_to(floor) if floor else None,
        processor_us=measured.processor_us(),
        peak_memory_mib=measured.memory_mib,
        failed=sum(each.failed for each in measured.outcomes),
    )


_FIGURES = ("", "rival", "per second", "p50 ms", "p99 ms", "rate ÷ floor", "p99 ÷ floor", "CPU µs", "peak MiB")
_BARS = ("to reach", "measured", "bar", "")


def _figure_cells(part: Part) -> Iterable[list[str]]:
    title = ""
    for each in part.figures:
        failed = f" ({each.failed:,} failed)" if each.failed else ""
        yield [
            "" if each.title == title else each.title,
            each.rival + failed,
            _number(each.per_second, 0),
            _number(each.p50_ms, 2),
            _number(each.p99_ms, 2),
            _number(each.rate_to_floor, 2),
            _number(each.p99_to_floor, 2),
            _number(each.processor_us, 0),
            _number(each.peak_memory_mib, 0),
        ]
        title = each.title


def _bar_cells(part: Part) -> Iterable[list[str]]:
    for each in part.bars:
        yield [each.what, _number(each.value, 2), each.bar, "yes" if each.met else "no"]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def print_tables(report: Report, console: Console) -> None:
    console.print(_sentence(report.machine))
    for part in report.databases:
        for title, heads, cells in _tables(part):
            table = Table(*heads, title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
            for column in table.columns:
                column.no_wrap = True
            for column in table.columns[1 if heads is _BARS else 2 :]:
                column.justify = "right"
            for row in cells:
                table.add_row(*row)
            console.print(table)


def markdown(report: Report) -> str:
    """Return the tables in Markdown, as docs/performance.md has them."""
    lines = [_sentence(report.machine), ""]
    for part in report.databases:
        for title, heads, cells in _tables(part):
            lines += [f"### {title}", "", _row(heads), _row("---" if at == 0 else "--:" for at in range(len(heads)))]
            lines += [*map(_row, cells), ""]
    return "\n".join(lines).rstrip()


def _tables(part: Part) -> Iterable[tuple[str, tuple[str, ...], Iterable[list[str]]]]:
    yield part.version, _FIGURES, _figure_cells(part)
    if part.bars:
        yield f"{part.version}: bars", _BARS, _bar_cells(part)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sentence(machine: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items()) + "."
