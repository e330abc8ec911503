"""What the audit trail costs: no statement more on PostgreSQL (tests/db/test_postgresql_counts.py), one on SQLite."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from service.app import Roster, create_app
from service.settings import Settings
from tests.conftest import client_of


@pytest.fixture
async def alone(shared_url: str, roster: Roster) -> AsyncIterator[Roster]:
    """The service on the shared database with one connection; `roster` empties it afterwards."""
    alone = create_app(Settings(database_url=shared_url, pool_size=1))
    yield alone
    await alone.database.close()


@contextmanager
def statements(roster: Roster) -> Iterator[list[str]]:
    """The first words of all statements, BEGIN and COMMIT left out."""
    found: list[str] = []

    def note(sql: str) -> None:
        if not sql.startswith(("BEGIN", "COMMIT", "SELECT 1", "PRAGMA")):
            found.append(" ".join(sql.split()[:3]))

    engine = roster.database.writing.sync_engine

    @event.listens_for(engine, "connect")
    def listen(connection: Any, *_: Any) -> None:
        # What is sent past SQLAlchemy.
        if engine.dialect.name == "sqlite":
            connection.driver_connection._connection.set_trace_callback(note)
        else:
            connection.driver_connection.add_query_logger(lambda record: note(record.query))

    if engine.dialect.name == "postgresql":

        @event.listens_for(engine, "before_cursor_execute")
        def hear(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
            note(sql)

    yield found


async def test_a_write_sends_at_most_one_statement_more(alone: Roster, backend: str) -> None:
    inserted, updated, events = {
        "postgresql": (["WITH written AS"], ["SELECT", "WITH"], "WITH stored AS"),
        "sqlite": (["INSERT INTO users", "INSERT INTO events"], ["SELECT", "UPDATE", "INSERT"], "INSERT INTO events"),
    }[backend]
    async with client_of(alone) as client:
        with statements(alone) as sent:
            # asyncpg asks for types that it does not know yet.
            assert (await client.post("/v1/users", json={"name": "Bob", "email": "b@example.org"})).status_code == 201
            sent.clear()
            user = (await client.post("/v1/users", json={"name": "Ann", "email": "a@example.org"})).json()
            assert sent == inserted
            sent.clear()
            path = f"/v1/users/{user['id']}"
            assert (await client.patch(path, json={"age": 3})).status_code == 200
            assert [each.split()[0] for each in sent] == updated
            sent.clear()
            assert (await client.patch(path, json={"age": 3})).status_code == 200
            # Nothing was changed, so nothing is told.
            assert events not in sent
            sent.clear()
            lines = "".join(f"U{n},u{n}@example.org\n" for n in range(2501))
            answer = await client.post(
                "/v1/users/import", content="name,email\n" + lines, headers={"content-type": "text/csv"}
            )
            assert answer.json()["created"] == 2501
            # One a batch, of 5,000 lines on PostgreSQL and of 2,500 on SQLite.
            assert sum(each == "INSERT INTO events" for each in sent) == {"postgresql": 1, "sqlite": 2}[backend]
