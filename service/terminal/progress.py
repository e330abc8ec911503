"""The progress of long work on standard error: bars on a terminal, a line every few seconds in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

# The task's name, how much is done, of how much where that is known, and the figures to print beside the percentage.
Progress = Callable[[str, int, int | None, str], None]

LINE_SECONDS = 5.0
# The bar, the percentage, figures of millions, the time left, and the gaps.
_FIGURES_WIDTH = 58


@contextmanager
def progress() -> Iterator[Progress]:
    """Give the function to call after each piece of work."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with _bars() as bars:
        yield _Terminal(bars)


class _Terminal:
    """Draws a bar for each task."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, task: str, done: int, total: int | None, figures: str) -> None:
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total, figures="")
        self._bars.update(self._tasks[task], completed=done, total=total, figures=figures)


class _Lines:
    def __init__(self) -> None:
        self._printed = monotonic()

    def __call__(self, task: str, done: int, total: int | None, figures: str) -> None:
        if monotonic() - self._printed >= LINE_SECONDS:
            self._printed = monotonic()
            share = f"{min(100 * done // total, 100)} %, " if total else ""
            click.echo(f"{task}: {share}{figures}", err=True)


def _bars() -> "Bars":
    """Bars on standard error, one line of the terminal each: name, bar, percentage, figures, time left.

    A name too long for the terminal is cut; the figures never are.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    console = Console(stderr=True)
    name = Column(max_width=max(console.width - _FIGURES_WIDTH, 8), no_wrap=True, overflow="ellipsis")
    return Progress(
        TextColumn("{task.description}", table_column=name),
        BarColumn(bar_width=12),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
