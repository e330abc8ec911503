"""What each operation costs in numbers that do not vary; a rise here shows in every benchmark."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.conftest import client_of
from tests.db.line import Line
from tests.db.wire import Sent, read

_numbers = count(10)


@pytest.fixture
async def line(fresh_postgres_url: str) -> AsyncIterator[Line]:
    async with Line(fresh_postgres_url).open() as line:
        yield line


@pytest.fixture
async def client(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a service with one connection to read and one to write."""
    roster = create_app(Settings(database_url=line.url, pool_size=1))
    async with client_of(roster) as client:
        # The number of bytes depends on this one.
        client.headers["x-request-id"] = "counted"
        yield client
    await roster.database.close()


def user() -> dict[str, Any]:
    return {"name": "Ann", "email": f"ann{next(_numbers)}@example.org"}


async def test_what_is_sent_to_postgresql(line: Line, client: httpx.AsyncClient) -> None:
    async def sent(method: str, path: str, document: Any = None, **headers: str) -> Sent:
        line.said.clear()
        answer = await client.request(method, f"/v1/{path}", json=document, headers=headers)
        assert answer.status_code < 300, answer.text
        return read(bytes(line.said))

    async def all_operations() -> dict[str, Sent]:
        return {
            "POST": await sent("POST", "users", user()),
            "POST with a key": await sent("POST", "users", user(), **{"idempotency-key": f"key-{next(_numbers)}"}),
            "PATCH": await sent("PATCH", "users/1", {"age": next(_numbers)}),
            "PATCH of nothing": await sent("PATCH", "users/1", {"name": "Ann"}),
            "GET": await sent("GET", "users/1"),
            "page": await sent("GET", "users?limit=50"),
            "employee with departments": await sent("GET", "employees/1?include=departments"),
        }

    await sent("POST", "employees", {"name": "Ann"})
    # asyncpg prepares each statement at its first use, and some ask for types that the connection does not know yet.
    await all_operations()
    assert await all_operations() == {
        "POST": Sent(statements=3, round_trips=3, bytes=303),
        "POST with a key": Sent(statements=6, round_trips=6, bytes=1162),
        "PATCH": Sent(statements=4, round_trips=4, bytes=226),
        # The roles are not of the table: they may be of the time before the lock was waited for.
        "PATCH of nothing": Sent(statements=4, round_trips=4, bytes=113),
        "GET": Sent(statements=1, round_trips=1, bytes=44),
        "page": Sent(statements=1, round_trips=1, bytes=32),
        "employee with departments": Sent(statements=1, round_trips=1, bytes=44),
    }
