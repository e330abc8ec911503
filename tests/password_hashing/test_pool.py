import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from service.errors import Unavailable
from service.password_hashing.common import is_common
from service.password_hashing.pool import Passwords
from service.settings import Settings

CHEAP = Settings(argon2_memory_kib=8, argon2_iterations=1, password_threads=1, password_queue=2)


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_a_hash_is_argon2id_with_its_parameters_and_a_salt_of_its_own(passwords: Passwords) -> None:
    one, other = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert one.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert one != other


def test_the_parameters_are_those_of_the_owasp_cheat_sheet() -> None:
    made = Passwords(Settings())
    assert made._nobodys.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    made.close()


@pytest.mark.parametrize("password", ["correct horse", " spaces ", "Zoë", "🔑" * 128, "nul\0inside", "tab\tand\nline"])
async def test_a_password_is_compared_verbatim(passwords: Passwords, password: str) -> None:
    stored = await passwords.hash(password)
    assert (await passwords.verify(stored, password)).right
    for other in (password.upper() + "x", password + " ", password.strip() + "\n", password[:-1]):
        assert not (await passwords.verify(stored, other)).right


async def test_two_forms_of_one_character_are_two_passwords(passwords: Passwords) -> None:
    stored = await passwords.hash("Zo\u00eb is here")
    assert not (await passwords.verify(stored, "Zoe\u0308 is here")).right


async def test_a_hash_of_other_parameters_is_right_and_outdated(passwords: Passwords) -> None:
    other = Passwords(replace(CHEAP, argon2_iterations=2))
    stored = await passwords.hash("correct horse")
    assert not (await passwords.verify(stored, "correct horse")).outdated
    verified = await other.verify(stored, "correct horse")
    assert (verified.right, verified.outdated) == (True, True)
    other.close()


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$v=19$m=8,t=1,p=1$x$y", "$2b$12$" + "a" * 53])
async def test_without_a_readable_hash_no_password_is_right(passwords: Passwords, stored: str | None) -> None:
    assert not (await passwords.verify(stored, "")).right


async def test_the_queue_is_bounded_and_empties_again(passwords: Passwords) -> None:
    answers = await asyncio.gather(*(passwords.hash("correct horse") for _ in range(10)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Unavailable)]
    assert (len(refused), passwords.taken) == (7, 0)
    assert refused[0].retry_after_seconds == 1
    assert await passwords.hash("correct horse")


async def test_a_cancelled_request_keeps_its_place_while_the_thread_works(passwords: Passwords) -> None:
    running = asyncio.ensure_future(passwords._run(lambda: time.sleep(0.05)))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert passwords.taken == 1
    await passwords._run(lambda: None)
    assert passwords.taken == 0


async def test_the_loop_turns_while_a_password_is_hashed() -> None:
    made = Passwords(Settings(argon2_memory_kib=65_536, argon2_iterations=1))
    hashing = asyncio.ensure_future(made.hash("correct horse"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    made.close()


@pytest.mark.parametrize("password", ["password", "PASSWORD", "qwertyuiop", "1234567890", "Password1"])
def test_a_common_password_is_known_in_any_case(password: str) -> None:
    assert is_common(password)


def test_the_list_holds_ten_thousand_that_are_long_enough() -> None:
    from service.password_hashing import common

    assert len(common._common()) == 10_000
    assert {len(each) >= 8 and each == each.lower() for each in common._common()} == {True}
    assert not is_common("correct horse battery staple")
