"""How far a file is: a bar for a person who watches, a line now and then for a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from service.http.transfer.reports import Report
from service.http.transfer.runs import Watcher

LINE_SECONDS = 5.0


@contextmanager
def watching(name: str, size: int | None) -> Iterator[Watcher]:
    """A watcher that tells standard error how an import of a file of `size` bytes comes along."""
    if not sys.stderr.isatty():
        yield Lines(name)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, name, size)


class Bar(Watcher):
    """Draws a bar for each step."""

    def __init__(self, progress: Progress, name: str, size: int | None) -> None:
        self._progress = progress
        self._name = name
        self._size = size
        self._tasks: dict[str, TaskID] = {}

    def read(self, step: str, position: int, report: Report) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(f"{step} {self._name}", total=self._size)
        failed = f", {report.failed:,} failed" if report.failed else ""
        description = f"{step} {self._name}: {report.lines:,} lines{failed}"
        self._progress.update(self._tasks[step], completed=position, description=description)


class Lines(Watcher):
    """Prints a line every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = monotonic()

    def read(self, step: str, position: int, report: Report) -> None:  # noqa: ARG002 - a log needs no position
        if monotonic() - self._told >= LINE_SECONDS:
            self._told = monotonic()
            click.echo(f"{self._name}: {step}, {report.lines:,} lines, {report.failed:,} failed so far", err=True)
