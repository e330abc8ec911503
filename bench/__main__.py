"""`python -m bench`: compares the service with the floor and the usual application, on PostgreSQL and SQLite."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench import bulk, machine, report
from bench.contest import Contest, Measured, Turn, check, load_generator, turns
from bench.databases import Database, database, fill
from bench.operations import CURSOR, PAGE, Operation, operations
from bench.rivals import FLOOR, RIVALS, SERVICE, running
from service.migrate.proof.rehearse.child import Child

_QUICK_SECONDS = 1.0
_QUICK_ROUNDS = 3
_BULK_ROUNDS = 3
_WIDE = 140
_EXPORT = "export"
_IMPORT = "import"
_NAMES = [each.name for each in operations(users=1, employees=1)] + [_EXPORT, _IMPORT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rows, rounds, connections and operations of a run."""

    users: int
    employees: int
    rounds: int
    seconds: float
    connections: int
    workers: int
    durable: bool
    only: frozenset[str]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--database",
    "kinds",
    multiple=True,
    help="postgresql (a temporary server), sqlite, or the URL of a PostgreSQL administrator. Default: both.",
)
@click.option("--only", multiple=True, type=click.Choice(_NAMES), help="Measure this operation only; may be repeated.")
@click.option("--quick", is_flag=True, help=f"{_QUICK_ROUNDS} rounds of {_QUICK_SECONDS:g} second.")
@click.option("--seconds", default=3.0, show_default=True, help="Seconds of a round.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each rival at each operation.")
@click.option("--users", default=100_000, show_default=True, type=click.IntRange(PAGE), help="Rows of users.")
@click.option("--employees", default=10_000, show_default=True, type=click.IntRange(1), help="Rows of employees.")
@click.option("--connections", default=32, show_default=True, help="Concurrent connections.")
@click.option("--workers", default=2, show_default=True, help="Worker processes of each rival.")
@click.option("--fsync/--no-fsync", "durable", default=True, show_default=True, help="fsync of the temporary server.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown tables.")
def main(kinds: tuple[str, ...], *, quick: bool, as_json: bool, as_markdown: bool, **plan: object) -> None:
    """Compare the service with a bare ASGI application (the floor) and a usual Litestar application.

    All rivals serve the same rows of the same database, and their answers are compared first. The rivals then take
    turns in short rounds, so that other load on the machine affects all of them. Ratios are medians over the rounds.
    """
    if quick:
        plan |= {"seconds": _QUICK_SECONDS, "rounds": _QUICK_ROUNDS}
    agreed = msgspec.convert(plan, Plan)
    console = Console(stderr=True)
    parts = []
    for kind in kinds or ("postgresql", "sqlite"):
        with tempfile.TemporaryDirectory(prefix="roster-bench-") as name, ExitStack() as stack:
            place = stack.enter_context(database(kind, Path(name), durable=agreed.durable))
            measured = list(_measure(place, agreed, Path(name), stack, console))
            parts.append(report.part(place.backend, place.version(), measured))
    settings = {name: value for name, value in msgspec.to_builtins(agreed).items() if name != "only"}
    whole = report.Report(machine=machine.describe(), settings=settings, databases=parts)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(whole)))
    elif as_markdown:
        click.echo(report.markdown(whole))
    else:
        console = Console()
        # Output to a file or a pipe must not wrap.
        report.print_tables(whole, console if console.is_terminal else Console(width=_WIDE))


def _measure(place: Database, plan: Plan, folder: Path, stack: ExitStack, console: Console) -> Iterator[Measured]:
    console.print(f"{place.version()}: {plan.users:,} users, {plan.employees:,} employees")
    # The page after the last of `plan.users` must be a full page.
    fill(place, users=plan.users + 2 * PAGE, employees=plan.employees)
    servers = [stack.enter_context(running(rival, place.url, workers=plan.workers, folder=folder)) for rival in RIVALS]
    generator = stack.enter_context(load_generator())
    for group in _groups(plan):
        if any(CURSOR in each.path for each in group):
            servers = [server.walked(plan.users) for server in servers]
        yield from _compete(turns(group, servers), generator, plan, console)
        place.settle()
    by_name = {server.rival.name: server for server in servers}
    if _wanted(_EXPORT, plan):
        console.print("export")
        both = [by_name[SERVICE.name], by_name[FLOOR.name]]
        yield from bulk.export(both, users=place.count("users"), rounds=min(plan.rounds, _BULK_ROUNDS))
    if _wanted(_IMPORT, plan):
        for name, users in (("import-tenth", plan.users // 10), (_IMPORT, plan.users)):
            console.print(f"import {users:,} users")
            rounds = min(plan.rounds, _BULK_ROUNDS)
            yield from bulk.take_in(name, by_name[SERVICE.name], place, users=users, rounds=rounds)


def _groups(plan: Plan) -> Iterator[list[Operation]]:
    """Yield the selected operations; operations of one group take turns within a round."""
    wanted = operations(users=plan.users, employees=plan.employees)
    for _, group in groupby(wanted, lambda each: each.group or each.name):
        if chosen := [each for each in group if _wanted(each.name, plan)]:
            yield chosen


def _compete(group: Sequence[Turn], generator: Child, plan: Plan, console: Console) -> list[Measured]:
    console.print(", ".join(dict.fromkeys(each.operation.title for each in group)))
    check(group)
    with console.status("warming up") as status:
        contest = Contest(group, generator, seconds=plan.seconds, connections=plan.connections)
        for number in range(plan.rounds):
            status.update(f"round {number + 1} of {plan.rounds}")
            contest.run_round()
    return contest.measured


def _wanted(name: str, plan: Plan) -> bool:
    return not plan.only or name in plan.only


if __name__ == "__main__":
    main()
