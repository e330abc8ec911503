"""Lines that a constraint refuses which the service does not know: each is reported, and all others are stored."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from service.app import Roster, create_app
from service.http.transfer.job import Job, Options
from service.http.transfer.reports import Report
from service.records.transfer import IMPORT as RECORDS
from service.settings import Settings
from service.users.transfer import IMPORT as USERS

REFUSED = "The change contradicts what is stored."
INDEXES = (
    "CREATE UNIQUE INDEX ux_age ON users (age) WHERE age >= 100",
    "CREATE UNIQUE INDEX ux_duration ON records (duration) WHERE duration >= 100",
)


@pytest.fixture
async def roster(fresh_url: str) -> AsyncIterator[Roster]:
    roster = create_app(Settings(database_url=fresh_url))
    async with roster.database.writing.begin() as connection:
        for each in INDEXES:
            await connection.execute(text(each))
    yield roster
    await roster.database.close()


class Units:
    """Counts the units of work of an import."""

    def __init__(self, roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        run = roster.database.units.run

        async def counted(*arguments: Any, **more: Any) -> Any:
            self.count += 1
            return await run(*arguments, **more)

        monkeypatch.setattr(roster.database.units, "run", counted)


async def run(roster: Roster, lines: list[str], declared: Any = USERS, **options: Any) -> Report:
    async def source() -> AsyncIterator[bytes]:
        yield "\n".join([*lines, ""]).encode()

    return await Job(declared, roster.database, "csv", Options(**options)).run(source)


def people(ages: list[int], *, start: int = 0) -> list[str]:
    lines = (f"User {at},u{at}@example.org,crm:{at},{age}" for at, age in enumerate(ages, start=start))
    return ["name,email,external_id,age", *lines]


async def stored(roster: Roster, sql: str) -> list[Any]:
    async with roster.database.reading.connect() as connection:
        return [*(await connection.execute(text(sql))).scalars()]


async def test_each_is_found_in_one_trial(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    units = Units(roster, monkeypatch)
    report = await run(roster, people([20, 100, 21, 100, 101, 100]))
    assert (report.created, report.failed) == (4, 2)
    assert [(each.line, each.field, each.detail) for each in report.errors] == [(5, None, REFUSED), (7, None, REFUSED)]
    assert await stored(roster, "SELECT age FROM users ORDER BY id") == [20, 100, 21, 101]
    assert await stored(roster, "SELECT count(*) FROM events WHERE resource = 'users'") == [4]
    # The insert, the trial, and the insert without the lines that it found.
    assert units.count == 3


async def test_a_file_of_refused_lines_takes_as_many_transactions_as_one(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(roster, people([100]))
    units = Units(roster, monkeypatch)
    report = await run(roster, people([100] * 300, start=1))
    assert (report.created, report.failed) == (0, 300)
    assert [each.line for each in report.errors] == [*range(2, 302)]
    assert units.count == 3


async def test_updates_are_tried_before_inserts(roster: Roster) -> None:
    await run(roster, people([20, 21, 100]))
    lines = [*people([100, 22, 30, 100, 101]), "User 1,u0@example.org,crm:5,23"]
    report = await run(roster, lines, mode="upsert")
    # The first asks for an age that the third gives up after it.
    assert [(each.line, each.field) for each in report.errors] == [(2, None), (7, "email")]
    assert (report.updated, report.created) == (2, 2)
    assert await stored(roster, "SELECT age FROM users ORDER BY id") == [20, 22, 30, 100, 101]


async def test_no_line_after_the_last_permitted_failure_is_stored(roster: Roster) -> None:
    report = await run(roster, people([100, 100, 20, 100, 21]), max_errors=2)
    assert (report.created, report.failed, report.stopped_at_line) == (2, 2, 5)
    assert await stored(roster, "SELECT age FROM users ORDER BY id") == [100, 20]


async def test_documents_and_times_are_tried_as_they_are_stored(roster: Roster) -> None:
    header = "title,duration,tags,date_created,external_id"
    lines = [f'Bells,{100 + at % 2},"a;""b",2024-05-06T07:08:09Z,r:{at}' for at in range(3)]
    report = await run(roster, [header, *lines], RECORDS)
    assert (report.created, [each.line for each in report.errors]) == (2, [4])
    changed = [f'Bells,{101 - at},"b",2024-05-06T07:08:10Z,r:{at}' for at in range(2)]
    report = await run(roster, [header, *changed], RECORDS, mode="upsert")
    assert (report.updated, [each.line for each in report.errors]) == (0, [2, 3])


async def test_a_trigger_keeps_its_own_conflict_clauses(roster: Roster, backend: str) -> None:
    if backend == "postgresql":
        # It has no conflict clause that a statement hands on to its triggers.
        return
    async with roster.database.writing.begin() as connection:
        await connection.execute(text("CREATE TABLE ages (age INTEGER PRIMARY KEY)"))
        ignoring = "INSERT OR IGNORE INTO ages VALUES (NEW.age)"
        await connection.execute(text(f"CREATE TRIGGER note AFTER INSERT ON users BEGIN {ignoring}; END"))
    report = await run(roster, people([20, 20, 21]))
    assert (report.created, report.failed) == (3, 0)
    assert await stored(roster, "SELECT age FROM ages") == [20, 21]
