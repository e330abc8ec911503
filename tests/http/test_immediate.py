"""GET requests that are answered in the call that received them, on SQLite: as the application answers them else."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from service.app import Roster
from service.http.server.cycle import Cycle
from service.settings import Settings
from tests.conftest import client_of, copy_of
from tests.http.test_cycle import Written, cycle_on

ANN = {"name": "Ann", "email": "ann@example.org"}
ID = (b"x-request-id", b"mine")
ROUNDS = 200
# Answered at once: target, header fields, status.
IMMEDIATE: list[tuple[str, list[tuple[bytes, bytes]], int]] = [
    ("/v1/users/1", [], 200),
    ("/v1/users/1", [(b"if-none-match", b'"1"')], 304),
    ("/v1/users/1", [(b"if-none-match", b'W/"1", "7"')], 304),
    ("/v1/users/1", [(b"if-match", b'"1"')], 200),
    ("/v1/users/1", [(b"origin", b"https://page.example")], 200),
    ("/v1/users/2", [], 404),
    ("/v1/users/x", [], 404),
    ("/v1//users/1", [], 404),
    ("/v1/users?limit=1&sort=name", [], 200),
    ("/v1/employees/1?include=departments", [], 404),
    ("/v1/users/1/preferences", [], 200),
    ("/v1/me", [], 200),
]
# Left to the application.
OTHERS: list[tuple[str, list[tuple[bytes, bytes]], int]] = [
    ("/v1/users/1", [(b"if-match", b'"2"')], 412),
    ("/v1/users/1", [(b"if-none-match", b"1")], 400),
    ("/v1/users/1?all=1", [], 422),
    ("/v1/users/1", [(b"host", b"elsewhere.example")], 421),
    ("/v1/users/1", [(b"authorization", b"Bearer roster_x")], 401),
    ("/v1/users/1", [(b"authorization", b"Basic x")], 200),
    ("/v1/users/1", [(b"cookie", b"a=b")], 200),
    ("/v1/users/1", [(b"content-encoding", b"gzip")], 200),
    ("/docs", [], 200),
    ("/nowhere", [], 404),
]


@pytest.fixture
async def roster(sqlite_template_url: str, tmp_path: Any) -> AsyncIterator[Roster]:
    """The service with one user and open connections."""
    url = copy_of(sqlite_template_url, tmp_path)
    roster = Roster(Settings(database_url=url, cors_origins=("https://page.example",)))
    async with client_of(roster) as client:
        (await client.post("/v1/users", json=ANN)).raise_for_status()
        (await client.get("/v1/users/1")).raise_for_status()
    yield roster
    await roster.database.close()


def scope_of(target: str, fields: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    host = [] if dict(fields).get(b"host") else [(b"host", b"localhost")]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "headers": [*host, ID, *fields],
        "state": {},
        "extensions": {},
    }


def answered_now(roster: Roster, scope: dict[str, Any], write: Callable[..., bool] = lambda *_: True) -> bool:
    assert roster.answer_now is not None
    return roster.answer_now(scope, write)


async def called(roster: Roster, scope: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await roster(scope, receive, send)
    start, *bodies = messages
    return start["status"], start["headers"], b"".join(each["body"] for each in bodies)


async def test_the_response_is_that_of_the_application(roster: Roster) -> None:
    for target, fields, status in [*IMMEDIATE, *OTHERS]:
        scope = scope_of(target, fields)
        notes: list[Any] = []
        observed: list[Any] = []
        at_once: list[Any] = []
        roster._note = lambda *note, notes=notes: notes.append((*note[:4], *note[5:]))
        roster._observe = lambda *seen, observed=observed: observed.append(seen[:3])

        def write(*response: Any, at_once: list[Any] = at_once) -> bool:
            at_once.append(response)
            return True

        is_answered = answered_now(roster, scope, write)
        assert is_answered == ((target, fields, status) in IMMEDIATE), target
        usual = await called(roster, scope)
        assert usual[0] == status, (target, usual)
        assert at_once == [usual] * is_answered, target
        # One line of the log and one figure for each, and none for a request that is left to the application.
        assert notes == [notes[-1]] * (1 + is_answered), target
        assert observed == [observed[-1]] * (1 + is_answered), target


async def test_a_response_that_cannot_be_written_as_a_whole_is_not_recorded(roster: Roster) -> None:
    def fail(*_: object) -> None:
        raise AssertionError  # pragma: no cover

    roster._note = roster._observe = fail
    assert not answered_now(roster, scope_of("/v1/users/1", []), lambda *_: False)


async def test_a_token_is_recognised_while_it_is_cached(roster: Roster) -> None:
    counts: list[str] = []
    roster.authentication._count = roster.authentication.tokens._count = counts.append
    async with client_of(roster) as client:
        given = await client.post("/v1/users/1/tokens", json={"name": "laptop"})
        fields = [(b"authorization", b"Bearer " + given.json()["token"].encode())]
        scope = scope_of("/v1/me", fields)
        assert not answered_now(roster, scope)
        await called(roster, scope)
        assert counts == ["valid"]
        assert answered_now(roster, scope)
        # A token without the permission is refused by the application.
        assert not answered_now(roster, scope_of("/v1/users/1", fields))
        assert counts == ["valid", "cached"]
        roster.authentication.forget()
        assert not answered_now(roster, scope)


async def test_requests_of_one_turn_look_at_the_file_once_and_a_replaced_file_is_noticed(roster: Roster) -> None:
    path = Path(make_url(roster.settings.database_url).database or "")
    looks: list[object] = []
    reader: Any = roster.database.reader
    connection = reader._short_reads._connection
    connection._require_same_file = lambda: looks.append(path)
    ask_now = scope_of("/v1/users/1", [])
    for _ in range(3):
        assert [answered_now(roster, ask_now) for _ in range(3)] == [True] * 3
        await asyncio.sleep(0)
    assert len(looks) == 3
    del connection._require_same_file
    path.rename(f"{path}-old")
    assert not answered_now(roster, ask_now)


async def test_a_request_leaves_nothing_to_the_garbage_collector(roster: Roster) -> None:
    async def respond(cycle: Cycle) -> None:
        await cycle.run_asgi(roster)

    def cycle() -> Cycle:
        return cycle_on(Written(), **scope_of("/v1/users/1", []))

    await respond(cycle())
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            await respond(cycle())
            answered_now(roster, scope_of("/v1/users/1", []))
        # The rest of the process may leave a few objects meanwhile; one for each request would be too many.
        assert gc.collect() < ROUNDS // 2
    finally:
        gc.enable()
