"""How far long work is: a bar that fits a terminal for a person, a line now and then for a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from service.db.counting import counted
from service.http.transfer.reports import Report
from service.http.transfer.runs import Watcher

LINE_SECONDS = 5.0
# The bar, the percentage, figures of millions, the time left, and the gaps.
_FIGURES_WIDTH = 58


@contextmanager
def watching(name: str, size: int | None) -> Iterator[Watcher]:
    """A watcher that tells standard error how an import of a file of `size` bytes comes along."""
    if not sys.stderr.isatty():
        yield Lines(name)
        return
    with bars() as progress:
        yield Bar(progress, name, size)


def bars() -> Progress:
    """Bars on standard error, one line of the terminal each: name, bar, percentage, the field `figures`, time left.

    A name that is too long for its terminal is cut, and never the figures.
    """
    console = Console(stderr=True)
    name = Column(max_width=max(console.width - _FIGURES_WIDTH, 8), no_wrap=True, overflow="ellipsis")
    figures = Column(no_wrap=True)
    return Progress(
        TextColumn("{task.description}", table_column=name),
        BarColumn(bar_width=12),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}", table_column=figures),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class Bar(Watcher):
    """Draws a bar for each step."""

    def __init__(self, progress: Progress, name: str, size: int | None) -> None:
        self._progress = progress
        self._name = name
        self._size = size
        self._tasks: dict[str, TaskID] = {}

    def read(self, step: str, position: int, report: Report) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(f"{step} {self._name}", total=self._size, figures="")
        failed = f", {report.failed:,} failed" if report.failed else ""
        figures = f"{counted(report.lines, 'line')}{failed}"
        self._progress.update(self._tasks[step], completed=position, figures=figures)


class Lines(Watcher):
    """Prints a line every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = monotonic()

    def read(self, step: str, position: int, report: Report) -> None:  # noqa: ARG002 - a log needs no position
        if monotonic() - self._told >= LINE_SECONDS:
            self._told = monotonic()
            click.echo(
                f"{self._name}: {step}, {counted(report.lines, 'line')}, {report.failed:,} failed so far", err=True
            )
