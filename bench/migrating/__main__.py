"""`python -m bench.migrating`: each operation, up and down, under traffic, with `ops` and with Alembic's `op`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

import click
import msgspec
from rich.console import Console

from bench import data, machine
from bench.databases import Postgresql, database
from bench.migrating import report
from bench.migrating.changes import Ours, Plain, project, set_up, timed
from bench.migrating.report import Control, Measured, Report, Size
from bench.migrating.scenarios import FILL, SCENARIOS, Scenario
from bench.migrating.traffic import Seen, Traffic
from bench.rivals import ROOT, SERVICE, Server, running
from service.migrate.proof.rehearse.child import Child
from service.migrate.proof.rehearse.messages import Begun, Locks, Stop, Watch

_QUICK_ROWS = 2_000
_NAMES = [each.name for each in SCENARIOS]
_marks = count(1)
_MIGRATORS = ("roster migrate", "roster backfill", "plain")
_TABLES = ("users", "notes")
_LEAST_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes, the traffic and the operations of a run."""

    rows: tuple[int, ...]
    connections: int
    workers: int
    reader_seconds: float
    calm_seconds: float
    pause_seconds: float
    durable: bool
    plain: bool
    plain_only: frozenset[str]
    only: frozenset[str]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rows",
    multiple=True,
    type=click.IntRange(1000),
    help="Rows of users; may be repeated. Default: 10,000, 100,000 and 1,000,000.",
)
@click.option("--only", multiple=True, type=click.Choice(_NAMES), help="Measure this operation only; may be repeated.")
@click.option("--connections", default=16, show_default=True, help="Concurrent connections.")
@click.option("--workers", default=2, show_default=True, help="Worker processes of the service.")
@click.option(
    "--reader-seconds",
    default=0.0,
    show_default=True,
    help="Keep a transaction that reads users open for so many seconds.",
)
@click.option(
    "--calm-seconds",
    default=1.0,
    show_default=True,
    help="Seconds of traffic before and after each change; the run without a change takes ten times as long.",
)
@click.option(
    "--pause-seconds",
    default=0.0,
    show_default=True,
    help="Pause between an answer and the next request, and between samples of the locks.",
)
@click.option("--quick", is_flag=True, help=f"{_QUICK_ROWS:,} users and short pauses, as a check of the benchmark.")
@click.option("--plain/--no-plain", default=True, show_default=True, help="Measure Alembic's op too.")
@click.option("--plain-only", multiple=True, type=click.Choice(_NAMES), help="Measure op with this operation only.")
@click.option("--fsync/--no-fsync", "durable", default=True, show_default=True, help="fsync of the PostgreSQL server.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown tables.")
def main(
    rows: tuple[int, ...],
    *,
    quick: bool,
    as_json: bool,
    as_markdown: bool,
    only: tuple[str, ...],
    plain_only: tuple[str, ...],
    **plan: Any,
) -> None:
    """Measure the effect of schema changes on live traffic.

    For each number of rows, the service runs, callers read and write users over HTTP, and each operation is upgraded
    and downgraded. The report has the failed requests, the slowest request, the longest lock and the longest wait for a
    lock, and the confirmed writes that were lost.
    """
    if quick:
        rows, plan["calm_seconds"] = rows or (_QUICK_ROWS,), 0.1
    agreed = Plan(
        rows=rows or (10_000, 100_000, 1_000_000),
        only=frozenset(only or _NAMES),
        plain_only=frozenset(plain_only or _NAMES),
        **plan,
    )
    console = Console(stderr=True)
    sizes = [_measure(size, agreed, console) for size in agreed.rows]
    whole = Report(machine=report.described(machine.describe()), settings=msgspec.to_builtins(plan), sizes=sizes)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(whole)))
    elif as_markdown:
        click.echo(report.markdown(whole))
    else:
        report.print_tables(whole)
    sys.exit(0 if all(bar.met for bar in report.bars(whole)) else 1)


def _measure(rows: int, plan: Plan, console: Console) -> Size:
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        place = stack.enter_context(database("postgresql", folder, durable=plan.durable))
        assert isinstance(place, Postgresql)
        console.print(f"{place.version()}: {rows:,} users")
        stack.enter_context(project(folder))
        place.copy("users", data.users(rows))
        set_up(place.url)
        place.run(lambda connection: connection.execute(FILL))
        place.settle()
        server = stack.enter_context(running(SERVICE, place.url, workers=plan.workers, folder=folder))
        traffic = stack.enter_context(Child("bench.migrating.traffic", cwd=ROOT))
        locks = stack.enter_context(Child("service.migrate.proof.rehearse.locks", place.url, cwd=ROOT))
        bench = _Bench(place=place, server=server, traffic=traffic, locks=locks, rows=rows, plan=plan)
        control = bench.control()
        measured = []
        for scenario in SCENARIOS:
            if scenario.name in plan.only:
                console.print(f"  {scenario.name}")
                measured.append(bench.measure(scenario, "ours", Ours(folder, place.url, scenario)))
                if plan.plain and scenario.name in plan.plain_only:
                    measured.append(bench.measure(scenario, "plain", Plain(place.url, scenario)))
        return Size(rows=rows, version=place.version(), control=control, measured=measured)


@dataclass(kw_only=True)
class _Bench:
    place: Postgresql
    server: Server
    traffic: Child
    locks: Child
    rows: int
    plan: Plan

    def control(self) -> Control:
        """The same traffic without a schema change."""
        with self._traffic() as seen:
            sleep(10 * self.plan.calm_seconds)
        return Control(requests=seen[0].requests, longest_ms=seen[0].longest_ms, p99_ms=seen[0].p99_ms)

    def measure(self, scenario: Scenario, style: str, change: Ours | Plain) -> Measured:
        with self._traffic() as seen, self._locks() as locks:
            sleep(self.plan.calm_seconds)
            up, problem = timed(change, down=False)
            sleep(self.plan.calm_seconds)
            down = 0.0
            if not problem:
                down, problem = timed(change, down=True)
                sleep(self.plan.calm_seconds)
        met = seen[0]
        lost = self._lost(met)
        change.clear()
        self.place.settle()
        return Measured(
            operation=scenario.name,
            style=style,
            requests=met.requests,
            failed=met.failed,
            failures=met.failures,
            lost=lost,
            longest_ms=met.longest_ms,
            p99_ms=met.p99_ms,
            waited_ms=locks[0].waited_ms,
            held_ms=locks[0].held_ms,
            up_seconds=up,
            down_seconds=down,
            rows_per_second=change.rows_per_second,
            problem=problem,
        )

    def _lost(self, seen: Seen) -> int:
        """The number of confirmed writes that the database lost."""

        async def missing(connection: Any) -> int:
            created = await connection.fetchval(
                "SELECT count(*) FROM unnest($1::text[]) AS made (email) WHERE NOT EXISTS "
                "(SELECT FROM users WHERE users.email = made.email)",
                seen.created,
            )
            changed = await connection.fetchval(
                "SELECT count(*) FROM unnest($1::bigint[], $2::text[]) AS made (id, address) "
                "JOIN users USING (id) WHERE users.address IS DISTINCT FROM made.address",
                list(seen.changed),
                list(seen.changed.values()),
            )
            return int(created) + int(changed)

        return self.place.run(missing)

    @contextmanager
    def _traffic(self) -> Iterator[list[Seen]]:
        last = data.FIRST_USER + self.rows
        traffic = Traffic(
            port=self.server.port,
            connections=self.plan.connections,
            low=data.FIRST_USER,
            high=last,
            mark=next(_marks),
            pause_seconds=self.plan.pause_seconds,
        )
        results: list[Seen] = []
        with self._reader():
            self.traffic.ask(traffic, Begun)
            yield results
            results.append(self.traffic.ask(Stop(), Seen))

    @contextmanager
    def _locks(self) -> Iterator[list[Locks]]:
        results: list[Locks] = []
        watch = Watch(
            migrators=_MIGRATORS, tables=_TABLES, pause_seconds=max(self.plan.pause_seconds, _LEAST_PAUSE_SECONDS)
        )
        self.locks.ask(watch, Begun)
        yield results
        results.append(self.locks.ask(Stop(), Locks))

    @contextmanager
    def _reader(self) -> Iterator[None]:
        """A process that keeps a transaction open that has read users, if the plan asks for one."""
        if not self.plan.reader_seconds:
            yield
            return
        arguments = (self.place.url, str(self.plan.reader_seconds), "users")
        with Child("service.migrate.proof.rehearse.reader", *arguments, cwd=ROOT) as child:
            child.answer(Begun)
            yield


if __name__ == "__main__":
    main()
