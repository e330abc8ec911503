"""Whether the time of an answer tells that an account exists."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import pytest

from service.app import Roster, create_app
from service.db import clock
from service.models import Credential, User
from service.settings import Settings
from tests.sessions.test_sessions import at, log_in

PAIRS = 30


@pytest.fixture
async def roster(fresh_url: str) -> AsyncIterator[Roster]:
    """A service whose hashes take some milliseconds, as in production, and users with passwords."""
    made = create_app(Settings(database_url=fresh_url, argon2_memory_kib=7_168, argon2_iterations=1))
    stored = await made.passwords.hash("correct horse battery")
    async with made.database.writing.begin() as connection:
        for number in range(PAIRS):
            email = f"user{number}@example.org"
            values = {"id": number + 1, "name": "U", "name_key": "u", "email": email, "email_key": email}
            await connection.execute(User.__table__.insert().values(values))  # type: ignore[attr-defined]
            credential = {"user_id": number + 1, "password_hash": stored, "changed_at": clock.now()}
            await connection.execute(Credential.__table__.insert().values(credential))  # type: ignore[attr-defined]
    yield made
    made.passwords.close()
    await made.database.close()


@pytest.mark.slow
# Longer than most: a sample of thirty hashes each is the least that shows a difference of a millisecond.
async def test_known_and_unknown_accounts_take_the_same_time(roster: Roster) -> None:
    seconds: dict[str, list[float]] = {"user": [], "nobody": []}
    for number in range(PAIRS):
        for kind, times in sorted(seconds.items(), reverse=number % 2 == 0):
            async with at(roster, f"192.0.2.{number}") as client:
                started = perf_counter()
                answer = await log_in(client, "wrong horse battery", f"{kind}{number}@example.org")
                times.append(perf_counter() - started)
                assert answer.status_code == 401
            await asyncio.sleep(0)
    slower = sum(known > unknown for known in seconds["user"] for unknown in seconds["nobody"])
    # The chance that a known account takes longer than an unknown one; one that skipped the hash would make it 1.
    assert 0.2 < slower / PAIRS**2 < 0.8
