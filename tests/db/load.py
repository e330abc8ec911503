"""Clients that read and write through the whole service while a test does something to its database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httpx
from sqlalchemy import func, select

from service.app import Roster
from service.models import Record
from tests.conftest import client_of

CLIENTS = 16


@dataclass
class Load:
    """The confirmed writes of the clients, to compare with the stored rows."""

    client: httpx.AsyncClient
    statuses: Counter[int] = field(default_factory=Counter)
    failed: list[httpx.Response] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    changed: dict[int, int] = field(default_factory=dict)
    longest: float = 0.0
    over: bool = False

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        started = perf_counter()
        answer = await self.client.request(method, path, **more)
        self.longest = max(self.longest, perf_counter() - started)
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 400:
            self.failed.append(answer)
        return answer

    async def begin(self, name: int) -> int:
        """Create the record that a client counts up in, and return its id."""
        mine: int = (await self.client.post("/v1/records", json={"title": f"mine {name}", "duration": 0})).json()["id"]
        self.changed[mine] = 0
        return mine

    async def work(self, name: int, mine: int) -> None:
        """Create records, list them and count up in the client's own, until it is over."""
        turn = 0
        while not self.over:
            turn += 1
            await self._create(f"{name} {turn}")
            await self.ask("GET", "/v1/records?limit=5&sort=-id")
            answer = await self.ask("PATCH", f"/v1/records/{mine}", json={"duration": turn})
            if answer.status_code == 200:
                self.changed[mine] = turn

    async def _create(self, title: str) -> None:
        answer = await self.ask("POST", "/v1/records", json={"title": title})
        if answer.status_code == 201:
            self.created.append(title)
        elif answer.json()["type"].endswith("unsettled"):
            self.unsettled.append(title)
        else:
            self.refused.append(title)

    def __str__(self) -> str:
        return f"{dict(self.statuses)}, {len(self.unsettled)} unsettled, longest {self.longest:.3f} s"


@asynccontextmanager
async def load_on(roster: Roster) -> AsyncIterator[Load]:
    """Clients at work while the context lasts; every answer has come when it ends."""
    async with client_of(roster) as client:
        load = Load(client)
        own = [await load.begin(name) for name in range(CLIENTS)]
        clients = [asyncio.create_task(load.work(name, mine)) for name, mine in enumerate(own)]
        try:
            yield load
        finally:
            load.over = True
            await asyncio.gather(*clients)


async def stored(roster: Roster) -> Counter[str]:
    """How often each title is stored."""
    async with roster.database.reading.connect() as connection:
        rows = await connection.execute(select(Record.title, func.count()).group_by(Record.title))
        return Counter({title: number for title, number in rows if not title.startswith("mine")})


async def durations(roster: Roster) -> dict[int, int | None]:
    """The clients' own records and what they have counted."""
    async with roster.database.reading.connect() as connection:
        rows = await connection.execute(select(Record.id, Record.duration).where(Record.title.startswith("mine")))
        return {row.id: row.duration for row in rows}
