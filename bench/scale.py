"""`python -m bench.scale`: rates and latencies of the service as its tables and the number of its callers grow."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import click
import msgspec
from rich.console import Console

from bench import machine
from bench.contest import Turn, ask, load_generator, turns
from bench.databases import Database, database, fill
from bench.load import Outcome
from bench.operations import CURSOR, PAGE, operations
from bench.plot import Panel, draw
from bench.rivals import SERVICE, running
from service.migrate.proof.rehearse.child import Child
from service.terminal.progress import progress

_USERS = (10_000, 100_000, 1_000_000)
_CALLERS = (1, 4, 16, 64)
_OPERATIONS = ("get", "page", "deep-page", "post", "patch")
_TITLES = {"get": "GET one", "page": "first page", "deep-page": "last page", "post": "POST", "patch": "PATCH"}
_WARM_UP_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes, the numbers of callers and the operations of a run."""

    users: tuple[int, ...]
    callers: tuple[int, ...]
    only: tuple[str, ...]
    seconds: float
    rounds: int
    workers: int


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One operation with so many rows and callers: medians over the rounds."""

    operation: str
    users: int
    callers: int
    per_second: float
    p99_ms: float
    failed: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one database."""

    backend: str
    version: str
    points: list[Point]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", "kinds", multiple=True, help="As in `python -m bench`. Default: postgresql and sqlite.")
@click.option("--users", default=_USERS, show_default=True, multiple=True, type=click.IntRange(2 * PAGE), help="Rows.")
@click.option("--callers", default=_CALLERS, show_default=True, multiple=True, type=click.IntRange(1), help="Callers.")
@click.option("--only", default=_OPERATIONS, multiple=True, type=click.Choice(_OPERATIONS), help="Operations.")
@click.option("--seconds", default=1.5, show_default=True, help="Seconds of a round.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Rounds of each point.")
@click.option("--workers", default=2, show_default=True, help="Worker processes of the service.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.option("--svg", type=click.Path(path_type=Path, file_okay=False), help="Draw a plot of each database here.")
def main(kinds: tuple[str, ...], *, as_json: bool, svg: Path | None, **plan: object) -> None:
    """Measure the service with 10,000 to 1,000,000 users and 1 to 64 callers.

    Every size has a database and a server of its own. The sizes take turns in each round, so that other load on the
    machine affects all of them.
    """
    agreed = msgspec.convert(plan, Plan)
    parts = []
    for kind in kinds or ("postgresql", "sqlite"):
        with tempfile.TemporaryDirectory(prefix="roster-bench-") as name, ExitStack() as stack:
            parts.append(_measure(kind, agreed, Path(name), stack))
        if svg is not None:
            (svg / f"scale-{parts[-1].backend}.svg").write_text(plot(parts[-1]))
    if as_json:
        document: Any = {"machine": machine.describe(), "databases": parts}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
    else:
        click.echo("\n\n".join(map(table, parts)))


def _measure(kind: str, plan: Plan, folder: Path, stack: ExitStack) -> Part:
    places: list[Database] = []
    found: dict[str, list[Turn]] = {name: [] for name in plan.only}
    console = Console(stderr=True)
    for users in plan.users:
        console.print(f"{kind}: {users:,} users")
        own = folder / str(users)
        own.mkdir()
        place = stack.enter_context(database(kind, own, durable=True))
        fill(place, users=users + 2 * PAGE, employees=10)
        server = stack.enter_context(running(SERVICE, place.url, workers=plan.workers, folder=own))
        places.append(place)
        for each in operations(users=users, employees=10):
            if each.name in found:
                walked = server.walked(users) if CURSOR in each.path else server
                found[each.name] += turns([each], [walked])
    points = [*_points(plan, found, stack.enter_context(load_generator()))]
    return Part(backend=places[0].backend, version=places[0].version(), points=points)


def _points(plan: Plan, found: dict[str, list[Turn]], generator: Child) -> Iterator[Point]:
    total = len(found) * len(plan.callers) * plan.rounds
    with progress() as show:
        for done, (name, callers, number) in enumerate(product(found, plan.callers, range(plan.rounds)), start=1):
            if number == 0:
                outcomes: list[list[Outcome]] = [[] for _ in plan.users]
                for turn in found[name]:
                    ask(turn, generator, min(plan.seconds, _WARM_UP_SECONDS), callers)
            for turn, mine in zip(found[name], outcomes, strict=True):
                mine.append(ask(turn, generator, plan.seconds, callers))
            show("scale", done, total, f"{name}, {callers} callers")
            if number == plan.rounds - 1:
                yield from (
                    _point(name, users, callers, mine) for users, mine in zip(plan.users, outcomes, strict=True)
                )


def _point(name: str, users: int, callers: int, outcomes: Sequence[Outcome]) -> Point:
    return Point(
        operation=name,
        users=users,
        callers=callers,
        per_second=median(each.per_second for each in outcomes),
        p99_ms=median(each.p99_ms or 0.0 for each in outcomes),
        failed=sum(each.failed for each in outcomes),
    )


def table(part: Part) -> str:
    """Return a Markdown table: for each operation and number of callers, rates and p99 by the number of rows."""
    sizes = list(dict.fromkeys(each.users for each in part.points))
    heads = ["", "callers", *(f"{users:,}: per second" for users in sizes), *(f"{users:,}: p99 ms" for users in sizes)]
    lines = [f"### {part.version}", "", _row(heads), _row(["---", *["--:"] * (len(heads) - 1)])]
    title = ""
    for name, callers in dict.fromkeys((each.operation, each.callers) for each in part.points):
        mine = [each for each in part.points if (each.operation, each.callers) == (name, callers)]
        cells = [f"{each.per_second:,.0f}" + (f" ({each.failed} failed)" if each.failed else "") for each in mine]
        cells += [f"{each.p99_ms:,.1f}" for each in mine]
        lines.append(_row(["" if name == title else _TITLES[name], str(callers), *cells]))
        title = name
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plot(part: Part) -> str:
    """Return the plot as SVG: rates above, p99 below, a panel for each operation and a line for each size."""
    names = list(dict.fromkeys(each.operation for each in part.points))
    axis = list(dict.fromkeys(str(each.callers) for each in part.points))
    rows = {
        "per second": [_panel(part, name, lambda each: each.per_second) for name in names],
        "p99 ms": [_panel(part, name, lambda each: each.p99_ms) for name in names],
    }
    return draw(f"{part.version}: 1 to {axis[-1]} callers", axis, rows)


def _panel(part: Part, name: str, figure: Callable[[Point], float]) -> Panel:
    lines: dict[str, list[float]] = {}
    for each in part.points:
        if each.operation == name:
            lines.setdefault(f"{each.users:,} users", []).append(figure(each))
    return Panel(title=_TITLES[name], lines=lines)


if __name__ == "__main__":
    main()
