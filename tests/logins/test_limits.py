"""The arithmetic of the limits, on both databases, with rows of chosen times."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service.app import Roster
from service.db import clock
from service.db.time_ids import TimeIds, id_at, moment_of
from service.logins import actions
from service.logins.actions import Attempt
from service.models import Login

HOME, ELSEWHERE = "198.51.100.1", "203.0.113.9"


def attempt(email: str = "ann@example.org", address: str = HOME) -> Attempt:
    return Attempt.of(email, address, "curl/8.9.1")


async def store(roster: Roster, attempt: Attempt, *outcomes: str, ago: float, step: float = 1.0) -> None:
    """Rows with these outcomes, the first this many seconds ago, each a step after the one before."""
    first = clock.now() - timedelta(seconds=ago)
    rows: list[dict[str, Any]] = [
        {
            "id": id_at(first + timedelta(seconds=at * step)),
            "outcome": outcome,
            "address": attempt.address,
            "network": attempt.network,
            "email_key": attempt.email_key,
        }
        for at, outcome in enumerate(outcomes)
    ]
    async with roster.database.writing.begin() as connection:
        await connection.execute(Login.__table__.insert(), rows)  # type: ignore[attr-defined]


async def seconds(roster: Roster, attempt: Attempt) -> int | None:
    return actions.wait_seconds(await actions.read_standing(roster.database.reader, attempt))


async def test_five_failures_of_an_account_from_one_client_are_the_limit(roster: Roster) -> None:
    await store(roster, attempt(), "wrong", "inactive", "wrong", "wrong", "ok", "throttled", ago=100)
    assert await seconds(roster, attempt()) is None
    await store(roster, attempt("ANN@example.org"), "wrong", ago=10)
    # The first of the five, 100 seconds ago, is the first that will not count.
    assert await seconds(roster, attempt()) == 800
    assert await seconds(roster, attempt("Ann@Example.org")) == 800
    assert await seconds(roster, attempt(address=ELSEWHERE)) is None
    assert await seconds(roster, attempt("bob@example.org")) is None


async def test_the_wait_ends_when_the_oldest_of_the_last_five_is_a_quarter_of_an_hour_old(roster: Roster) -> None:
    await store(roster, attempt(), *["wrong"] * 7, ago=899, step=100)
    # The seventh was 299 seconds ago; the third, 699 seconds ago, fills the limit.
    assert await seconds(roster, attempt()) == 201
    await store(roster, attempt(address=ELSEWHERE), *["wrong"] * 5, ago=901, step=0.1)
    assert await seconds(roster, attempt(address=ELSEWHERE)) is None


async def test_fifty_failures_of_an_account_from_everywhere_are_the_limit(roster: Roster) -> None:
    for at in range(12):
        await store(roster, attempt(address=f"192.0.2.{at}"), *["wrong"] * 4, ago=60)
    await store(roster, attempt(address=ELSEWHERE), "wrong", ago=30)
    assert await seconds(roster, attempt()) is None
    await store(roster, attempt(address=ELSEWHERE), "wrong", ago=20)
    assert await seconds(roster, attempt()) == 840
    assert await seconds(roster, attempt("bob@example.org")) is None


async def test_others_cannot_lock_an_owner_out_of_where_they_logged_in_before(roster: Roster) -> None:
    await store(roster, attempt(), "ok", ago=29 * 86_400)
    await store(roster, attempt(address="192.0.2.200"), "ok", ago=31 * 86_400)
    for at in range(12):
        await store(roster, attempt(address=f"192.0.2.{at}"), *["wrong"] * 5, ago=60)
    assert await seconds(roster, attempt()) is None
    assert await seconds(roster, attempt(address="192.0.2.200")) is not None
    await store(roster, attempt(), *["wrong"] * 5, ago=10)
    assert await seconds(roster, attempt()) == 890


async def test_a_client_takes_a_hundred_failures_for_all_accounts(roster: Roster) -> None:
    for at in range(99):
        await store(roster, attempt(f"user{at}@example.org"), "unknown", ago=600)
    assert await seconds(roster, attempt()) is None
    await store(roster, attempt("one@example.org"), "wrong", ago=60)
    assert await seconds(roster, attempt()) == 300
    assert await seconds(roster, attempt(address=ELSEWHERE)) is None


async def test_an_ipv6_subscriber_is_one_client(roster: Roster) -> None:
    for at in range(5):
        await store(roster, attempt(address=f"2001:db8:1:2::{at}"), "wrong", ago=10)
    assert await seconds(roster, attempt(address="2001:db8:1:2:ffff::9")) == 890
    assert await seconds(roster, attempt(address="2001:db8:1:3::1")) is None


async def test_a_refused_attempt_is_noted_once_a_minute_and_ten_times_a_client(roster: Roster) -> None:
    async def noted(attempt: Attempt) -> bool:
        return actions.is_noted(await actions.read_standing(roster.database.reader, attempt))

    await store(roster, attempt(), "throttled", ago=61)
    assert not await noted(attempt())
    await store(roster, attempt(), "throttled", ago=59)
    assert await noted(attempt())
    assert not await noted(attempt("bob@example.org"))
    for at in range(9):
        await store(roster, attempt(f"user{at}@example.org"), "throttled", ago=30)
    assert await noted(attempt("bob@example.org"))
    assert not await noted(attempt("bob@example.org", ELSEWHERE))


async def test_parallel_attempts_fill_a_limit_exactly(roster: Roster) -> None:
    async def fail(number: int) -> bool:
        async def work(session: Any) -> bool:
            one = attempt(f"user{number % 2}@example.org")
            if actions.wait_seconds(await actions.lock_standing(session, one)) is not None:
                return False
            await actions.insert_login(session, one, "wrong", None)
            return True

        return await roster.database.units.run(work)

    counted = await asyncio.gather(*(fail(at) for at in range(40)))
    assert sum(counted) == 10


async def test_rows_of_one_microsecond_get_ids_of_their_own(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = clock.now()
    monkeypatch.setattr(clock, "now", lambda: frozen)
    for process in (TimeIds(), TimeIds()):
        monkeypatch.setattr(actions, "_ids", process)
        for _ in range(2):
            await roster.database.units.run(lambda session: actions.insert_login(session, attempt(), "wrong", None))
    async with roster.database.reading.connect() as connection:
        ids = (await connection.execute(Login.__table__.select().order_by(Login.id))).scalars().all()
    assert [each - id_at(frozen) for each in ids] == [0, 1, 2, 3]
    assert moment_of(ids[0]) == frozen


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("curl/8.9.1", "curl/8.9.1"),
        ("  \t ", None),
        (None, None),
        ("a\x1b[2Jb\x85\xad", "a?[2Jb??"),
        ("é" * 300, "é" * 200),
    ],
)
def test_an_agent_is_kept_as_one_line_of_200_characters(sent: str | None, kept: str | None) -> None:
    assert Attempt.of("ann@example.org", HOME, sent).agent == kept
