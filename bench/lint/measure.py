"""Measures how long the statements of the corpus keep requests waiting, with many rows."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from sqlalchemy import make_url

from bench.lint.corpus import NOTICED_MS, Corpus, Locks, Statement, Version, locks_of
from bench.lint.reading import read
from service.db.engine import Purpose, create_engine
from service.migrate.proof.server import SETTINGS
from service.migrate.proof.trace.gate import Gate
from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.tracer import Tracer

# The server of a run: nothing but the statement works while it runs.
SERVER = {**SETTINGS, "autovacuum": "off", "shared_buffers": "256MB", "max_wal_size": "4GB"}
_TEMPLATE = "corpus"
_COPY = "corpus_copy"
# A time that is clear of NOTICED_MS is not measured again.
_CLEAR = 8
_REPEATS = 5

Observations = Mapping[str, Sequence[Observed]]


async def traced(url: str, corpus: Corpus, version: int, *, rows: int) -> dict[str, list[Observed]]:
    """What the tracer observes of each statement with few rows, in an empty database."""
    with Gate(url=url) as gate:
        tracer = Tracer(url=make_url(url), gate=gate)
        engine = create_engine(url, Purpose.MIGRATE)
        try:
            with tracer.listening():
                async with engine.connect() as connection:
                    return dict(
                        await connection.run_sync(lambda sync: list(read(sync, tracer, corpus, version, rows=rows)))
                    )
        finally:
            await engine.dispose()


async def measured(
    server: str, corpus: Corpus, version: int, observed: Observations, *, rows: int, report: Callable[[str], None]
) -> Version:
    """The locks of each statement, and the shortest of several times that it keeps requests waiting."""
    await _execute(server, f"CREATE DATABASE {_TEMPLATE}")
    template = await asyncpg.connect(_database(server, _TEMPLATE))
    name = (await template.fetchval("SHOW server_version")).partition(" ")[0]
    await template.execute(corpus.tables(rows))
    await template.execute("VACUUM ANALYZE")
    await template.close()
    found: dict[str, Locks] = {}
    async with _copy(server) as shared:
        for title, statement in corpus.of(version).items():
            first = _first_blocking(statement, observed[title])
            milliseconds = 0.0
            if first is not None and not statement.keeps_changes:
                milliseconds = await _shortest(shared, statement, first)
            found[title] = locks_of(list(observed[title]), milliseconds)
            report(f"{title}: {milliseconds} ms")
    for title, statement in corpus.of(version).items():
        first = _first_blocking(statement, observed[title])
        if first is not None and statement.keeps_changes:
            async with _copy(server) as own:
                for sql in statement.setup:
                    await own.execute(sql)
                milliseconds = await _shortest(own, statement, first, repeats=1 if statement.alone else _REPEATS)
            found[title] = locks_of(list(observed[title]), milliseconds)
            report(f"{title}: {milliseconds} ms")
    return Version(server=name, date=f"{datetime.now(UTC):%Y-%m-%d}", rows=rows, statements=found)


def _first_blocking(statement: Statement, observed: Sequence[Observed]) -> int | None:
    """The place of the first statement that keeps requests waiting."""
    return next((statement.sql.index(each.statement) for each in observed if each.blocks.keeps_requests_waiting), None)


async def _shortest(
    connection: asyncpg.Connection, statement: Statement, first: int, *, repeats: int = _REPEATS
) -> float:
    times: list[float] = []
    for _ in range(repeats):
        times.append(await _time(connection, statement, first))
        if not NOTICED_MS / _CLEAR < min(times) < NOTICED_MS * _CLEAR:
            break
    return round(min(times), 1)


async def _time(connection: asyncpg.Connection, statement: Statement, first: int) -> float:
    if statement.alone:
        (sql,) = statement.sql
        began = time.perf_counter()
        await connection.execute(sql)
        return 1000 * (time.perf_counter() - began)
    began = 0.0
    await connection.execute("BEGIN")
    try:
        for at, sql in enumerate(statement.sql):
            began = time.perf_counter() if at == first else began
            await connection.execute(sql)
        return 1000 * (time.perf_counter() - began)
    finally:
        await connection.execute("ROLLBACK")


@asynccontextmanager
async def _copy(server: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a copy of the template, which is gone afterwards."""
    await _execute(server, f"CREATE DATABASE {_COPY} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
    connection = await asyncpg.connect(_database(server, _COPY))
    try:
        yield connection
    finally:
        await connection.close()
        await _execute(server, f"DROP DATABASE {_COPY}")


async def _execute(server: str, sql: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _database(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def alarms(observed: Observations) -> Iterator[str]:
    """The statements that the tracer warns of."""
    yield from (name for name, found in observed.items() if any(each.lasts for each in found))
