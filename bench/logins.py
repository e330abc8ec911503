"""`python -m bench.logins`: sessions per second beside the rate of the bare hash, and pages of a long login history."""

import asyncio
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import httpx
import msgspec
from argon2 import PasswordHasher
from rich.console import Console
from rich.table import Table
from sqlalchemy import MetaData

from bench import data, machine
from bench.databases import Database, database
from bench.rivals import SERVICE, running
from service.db import clock
from service.db.database import Database as Opened
from service.db.partitions import create_ahead
from service.db.time_ids import id_at
from service.models import Credential, Login, User
from service.settings import Settings

_PASSWORD = "correct horse battery"  # noqa: S105 - it guards rows of a benchmark
_USERS = 64
_ACCOUNTS = 5_000
_BETWEEN = timedelta(seconds=30)
_CHUNK = 100_000
_PAGE_READS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The results of one database; rates are per second, pages in milliseconds (median)."""

    backend: str
    version: str
    rows: int
    hashes: float
    sessions: float
    ratio: float
    pages: dict[str, float]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", "kinds", multiple=True, help="As in `python -m bench`. Default: postgresql and sqlite.")
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="Rows of logins.")
@click.option("--seconds", default=5.0, show_default=True, help="Seconds of each rate.")
@click.option("--connections", default=16, show_default=True, help="Concurrent logins.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def main(kinds: tuple[str, ...], *, rows: int, seconds: float, connections: int, as_json: bool) -> None:
    """Measure logins against the limit of argon2 on this machine, and pages of the login history."""
    console = Console(stderr=True)
    measured = []
    for kind in kinds or ("postgresql", "sqlite"):
        with tempfile.TemporaryDirectory(prefix="roster-bench-") as name, ExitStack() as stack:
            place = stack.enter_context(database(kind, Path(name), durable=True))
            console.print(f"{place.version()}: {rows:,} logins")
            measured.append(_measure(place, Path(name), rows, seconds, connections))
    if as_json:
        document = {"machine": machine.describe(), "databases": measured}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
    else:
        _print(measured)


def _measure(place: Database, folder: Path, rows: int, seconds: float, connections: int) -> Figures:
    newest = clock.now() - timedelta(hours=1)
    _fill(place, rows, newest)
    with running(SERVICE, place.url, workers=1, folder=folder) as server:
        base = f"http://127.0.0.1:{server.port}"
        before = _hashes(seconds)
        sessions = asyncio.run(_sessions(base, seconds, connections))
        # Other load on the machine slows both: the hash is measured on both sides of the logins.
        hashes = (before + _hashes(seconds)) / 2
        pages = _pages(base, newest - rows * _BETWEEN, newest)
    return Figures(
        backend=place.backend,
        version=place.version(),
        rows=rows,
        hashes=round(hashes, 1),
        sessions=round(sessions, 1),
        ratio=round(sessions / hashes, 2),
        pages=pages,
    )


def _fill(place: Database, rows: int, newest: datetime) -> None:
    place.copy(User.__tablename__, (row | {"active": True} for row in data.users(_USERS)))
    stored = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(_PASSWORD)
    ids = range(data.FIRST_USER, data.FIRST_USER + _USERS)
    place.copy(Credential.__tablename__, ({"user_id": id, "password_hash": stored, "changed_at": newest} for id in ids))
    asyncio.run(_partition(place.url, newest - rows * _BETWEEN))
    logins = _logins(rows, newest)
    while chunk := list(islice(logins, _CHUNK)):
        place.copy(Login.__tablename__, chunk)
    place.settle()


async def _partition(url: str, oldest: datetime) -> None:
    opened = Opened(Settings(database_url=url), MetaData())
    month = oldest
    while month < clock.now():
        await create_ahead(opened, Login.__tablename__, month)
        month += timedelta(days=28)
    await opened.close()


def _logins(rows: int, newest: datetime) -> Iterator[data.Row]:
    last = id_at(newest)
    step = _BETWEEN // timedelta(microseconds=1)
    for number in range(rows):
        account = number % _ACCOUNTS
        address = f"10.0.{account % 200}.{account % 250}"
        yield {
            "id": last - number * step,
            "user_id": data.FIRST_USER + account,
            "outcome": "wrong" if number % 50 == 0 else "ok",
            "address": address,
            "network": address,
            "agent": "bench",
            "email": f"account{account}@example.org",
            "email_key": f"account{account}@example.org",
        }


def _hashes(seconds: float) -> float:
    """Return how often a second two threads compare a password, which is what a process of the service has."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    stored = hasher.hash(_PASSWORD)
    started = perf_counter()

    def compare(_thread: int) -> int:
        count = 0
        while perf_counter() - started < seconds:
            hasher.verify(stored, _PASSWORD)
            count += 1
        return count

    with ThreadPoolExecutor(Settings().password_threads) as threads:
        return sum(threads.map(compare, range(Settings().password_threads))) / (perf_counter() - started)


async def _sessions(base: str, seconds: float, connections: int) -> float:
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        started = perf_counter()

        async def log_in(number: int) -> int:
            body = {"email": f"user{data.FIRST_USER + number % _USERS}@example.org", "password": _PASSWORD}
            count = 0
            while perf_counter() - started < seconds:
                answer = await client.post("/v1/sessions", json=body)
                assert answer.status_code == 201, answer.text
                count += 1
            return count

        return sum(await asyncio.gather(*map(log_in, range(connections)))) / (perf_counter() - started)


def _pages(base: str, oldest: datetime, newest: datetime) -> dict[str, float]:
    middle, deep = oldest + (newest - oldest) / 2, oldest + (newest - oldest) / 50
    asked = {
        "first": {},
        "middle": {"until": middle.isoformat()},
        "deep": {"until": deep.isoformat()},
        "of an account": {"email": "account77@example.org"},
        "of an address": {"address": "10.0.77.77"},
        "of an outcome, deep": {"outcome": "wrong", "until": deep.isoformat()},
    }
    with httpx.Client(base_url=base, timeout=60) as client:
        return {name: _read(client, parameters) for name, parameters in asked.items()}


def _read(client: httpx.Client, parameters: dict[str, str]) -> float:
    milliseconds = []
    for _ in range(_PAGE_READS):
        started = perf_counter()
        answer = client.get("/v1/logins", params=parameters)
        milliseconds.append((perf_counter() - started) * 1_000)
        assert answer.status_code == 200, answer.text
        assert answer.json()["items"], parameters
    return round(median(milliseconds), 2)


def _print(measured: list[Figures]) -> None:
    table = Table(title="Logins, and pages of 50 of the login history")
    table.add_column("")
    for each in measured:
        table.add_column(each.version, justify="right")
    table.add_row("rows of the history", *(f"{each.rows:,}" for each in measured))
    table.add_row("argon2 hashes a second, 2 threads", *(f"{each.hashes:,.1f}" for each in measured))
    table.add_row("sessions a second, 1 process", *(f"{each.sessions:,.1f}" for each in measured))
    table.add_row("sessions ÷ hashes", *(f"{each.ratio:.2f}" for each in measured))
    for name in measured[0].pages:
        table.add_row(f"page {name}, ms", *(f"{each.pages[name]:.2f}" for each in measured))
    deep = (each.pages["deep"] / each.pages["first"] for each in measured)
    table.add_row("page deep ÷ page first", *(f"{ratio:.2f}" for ratio in deep))
    Console().print(table)


if __name__ == "__main__":
    main()
