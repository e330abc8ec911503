"""`python -m bench.feed`: the time from the response to a writer until the event of the change reaches a reader."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench import data, machine
from bench.databases import Database, database
from bench.rivals import SERVICE, Server, running
from service.models import User

_FEED = "/v1/events/feed"
_WAIT_SECONDS = 10
_MOST_PAUSE_SECONDS = 0.3

# Received events: the request id of the change, and when its event arrived.
Arrival = tuple[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from the response to a writer until the event reaches a reader."""

    reader: str
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The results of one database."""

    backend: str
    version: str
    changes: int
    latencies: list[Latency]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", "kinds", multiple=True, help="As in `python -m bench`. Default: postgresql and sqlite.")
@click.option("--changes", default=200, show_default=True, type=click.IntRange(2), help="Changes for each reader.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def main(kinds: tuple[str, ...], *, changes: int, as_json: bool) -> None:
    """Measure how soon after a write the change feed shows the change, by Server-Sent Events and by long poll.

    The reader asks the process that writes, and then another process on the same database.
    """
    console = Console(stderr=True)
    measured = []
    for kind in kinds or ("postgresql", "sqlite"):
        with tempfile.TemporaryDirectory(prefix="roster-bench-") as name, ExitStack() as stack:
            place = stack.enter_context(database(kind, Path(name), durable=True))
            console.print(f"{place.version()}: {changes:,} changes for each reader")
            measured.append(_measure(place, Path(name), changes))
    if as_json:
        document = {"machine": machine.describe(), "databases": measured}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
    else:
        _print(measured)


def _measure(place: Database, folder: Path, changes: int) -> Figures:
    place.copy(User.__tablename__, data.users(1))
    place.settle()
    with (
        running(SERVICE, place.url, workers=1, folder=folder) as writing,
        running(SERVICE, place.url, workers=1, folder=folder) as other,
    ):
        latencies = [
            _latency(f"{how}, {where}", writing, server, read, changes)
            for how, read in (("SSE", _stream), ("long poll", _poll))
            for where, server in (("the writer's process", writing), ("another process", other))
        ]
    return Figures(backend=place.backend, version=place.version(), changes=changes, latencies=latencies)


def _latency(
    name: str, writing: Server, server: Server, read: Callable[[Server], Iterator[Arrival]], changes: int
) -> Latency:
    reader = read(server)
    # The reader has its place in the feed before the first change.
    next(reader)
    with ThreadPoolExecutor(1) as threads:
        arrivals = threads.submit(_take, reader, changes)
        answered = _write(writing, changes, arrivals)
        arrived = dict(arrivals.result(timeout=2 * _WAIT_SECONDS))
    # An event may arrive while its response is still on the way.
    waits = sorted(max(0.0, 1000 * (arrived[id] - at)) for id, at in answered.items())
    return Latency(reader=name, p50_ms=round(_quantile(waits, 50), 2), p99_ms=round(_quantile(waits, 99), 2))


def _take(arrivals: Iterator[Arrival], count: int) -> list[Arrival]:
    return [next(arrivals) for _ in range(count)]


def _write(server: Server, changes: int, arrivals: "Future[list[Arrival]]") -> dict[str, float]:
    """Change a user so many times and return when the response to each request arrived."""
    draw = random.Random(changes)
    answered = {}
    for number in range(changes):
        # A pause of random length: a change comes at any moment between two looks at the database.
        time.sleep(draw.uniform(0, _MOST_PAUSE_SECONDS))
        id = f"change-{number}"
        headers = {"content-type": "application/json", "x-request-id": id}
        body = json.dumps({"address": f"{number} Dorset Street, {draw.random()}"})
        status, answer = server.ask("PATCH", f"/v1/users/{data.FIRST_USER}", body, headers)
        answered[id] = perf_counter()
        assert status == 200, answer
        if arrivals.done():
            break
    return answered


def _stream(server: Server) -> Iterator[Arrival]:
    """Yield a first arrival of nothing when the server has sent the head of its response, then every event."""
    connection = server.connect()
    try:
        connection.request("GET", f"{_FEED}?after=now", headers={"accept": "text/event-stream"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        yield "", perf_counter()
        while line := answer.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[len(b"data: ") :])["request_id"], perf_counter()
    finally:
        connection.close()


def _poll(server: Server) -> Iterator[Arrival]:
    """Yield a first arrival of nothing when the cursor is known, then every event."""
    connection = server.connect()
    try:
        cursor = _ask(connection, "?after=now")["next_cursor"]
        yield "", perf_counter()
        while True:
            feed = _ask(connection, f"?wait={_WAIT_SECONDS}" + (f"&after={cursor}" if cursor else ""))
            at = perf_counter()
            cursor = feed["next_cursor"]
            yield from ((event["request_id"], at) for event in feed["items"])
    finally:
        connection.close()


def _ask(connection: HTTPConnection, query: str) -> Any:
    connection.request("GET", _FEED + query)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return json.loads(body)


def _quantile(waits: Sequence[float], percent: int) -> float:
    return waits[len(waits) * percent // 100]


def _print(measured: Sequence[Figures]) -> None:
    table = Table(title="From the response to a writer until the event reaches a reader, ms")
    table.add_column("")
    for each in measured:
        table.add_column(f"{each.version}: p50", justify="right")
        table.add_column("p99", justify="right")
    for latencies in zip(*(each.latencies for each in measured), strict=True):
        cells = [f"{figure:.1f}" for each in latencies for figure in (each.p50_ms, each.p99_ms)]
        table.add_row(latencies[0].reader, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
