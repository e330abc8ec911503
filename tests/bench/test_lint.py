"""The corpus of the linter's benchmark: its locks are those of this server, and what blocks gets a warning."""

import asyncpg
import pytest

from bench.lint import static
from bench.lint.corpus import Locks, corpus, locks_of, measured
from bench.lint.measure import alarms, traced
from bench.lint.report import score, table, times
from tests.project.files import read as text_of

LEAST = 88


def test_every_statement_was_measured_on_each_version() -> None:
    assert len(corpus().statements) >= LEAST
    for version, found in measured().items():
        assert found.statements.keys() == corpus().of(version).keys(), version
        assert found.server.startswith(f"{version}.")


@pytest.mark.slow
async def test_statements_take_the_locks_and_get_the_warnings_of_the_corpus(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    server = connection.get_server_version().major
    await connection.close()
    version = max(each for each in measured() if each <= server)
    observed = await traced(empty_postgres_url, corpus(), version, rows=50)
    expected = {name: (each.modes, each.blocks) for name, each in measured()[version].statements.items()}
    found = {name: read(locks_of(each)) for name, each in observed.items()}
    assert {name: each for name, each in found.items() if each != expected[name]} == {}
    judged = score("trace", version, measured()[version], set(alarms(observed)))
    assert (judged.missed, judged.wrong) == ([], [])


def read(locks: Locks) -> tuple[dict[str, str], str]:
    return locks.modes, locks.blocks


@pytest.mark.slow
def test_the_rules_miss_nothing_and_have_no_false_alarm() -> None:
    version = max(measured())
    judged = score("rules", version, measured()[version], static.alarms(static.rules(corpus(), version)))
    assert (judged.missed, judged.wrong) == ([], [])


def test_the_documentation_shows_what_was_measured() -> None:
    shown = text_of("docs/performance.md").splitlines()
    assert [line for line in times(measured()) if line not in shown] == []
    version = max(measured())
    noticed = [name for name, each in measured()[version].statements.items() if each.is_noticed]
    assert list(table([score("trace", version, measured()[version], noticed)]))[-1] in shown
