"""The load of a rehearsal: closed and open loops of requests, and what became of their writes.

`python -m service.migrate.proof.rehearse.traffic SETTINGS` takes the commands of `messages` on its standard input.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from itertools import chain
from random import Random
from time import perf_counter
from typing import Any

import msgspec

from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.client import Client
from service.migrate.proof.rehearse.learning import learn
from service.migrate.proof.rehearse.messages import Begin, Begun, End, Learn, Learned, Seen, Settings
from service.migrate.proof.rehearse.reading_back import read_back
from service.migrate.proof.rehearse.sending import Sender, Used

_LISTED = 5


class Traffic:
    """The versions that are known, and the loops that run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sender = Sender(settings=settings, random=Random(settings.seed))
        self._known: dict[str, Used] = {}
        self._ports: dict[str, int] = {}
        self._times: list[float] = []
        self._open_times: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def learn(self, version: str, port: int) -> Learned:
        known = await learn(self.sender, version, port, others=tuple(self._known.values()))
        if isinstance(known, Learned):
            return known
        self._known[version] = known
        return Learned(
            reads=len(known.api.reads),
            writes=len(known.api.operations) - len(known.api.reads),
            unused=known.unused,
        )

    def begin(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self.sender.begin()
        self._times, self._open_times, self._ending = [], [], asyncio.Event()
        versions = list(ports)
        for number in range(self._settings.connections):
            self._start(self._closed_loop(versions[number % len(versions)]))
        if self._settings.rate:
            self._start(self._open_loop(versions))

    async def end(self, *, everything: bool) -> Seen:
        """Every request is answered before the loops end, so that the outcome of each write is known."""
        self._ending.set()
        while self._tasks:
            await asyncio.gather(*self._tasks)
        counts: Counter[str] = Counter()
        losses: list[str] = []
        for version, port in self._ports.items():
            counted, found = await read_back(self.sender, self._known[version], port, everything=everything)
            counts += counted
            losses += found
        return self._seen(counts, losses)

    def _seen(self, counts: Counter[str], losses: list[str]) -> Seen:
        both = sorted([*self._times, *self._open_times])
        waits = sorted(self._open_times)
        sender = self.sender
        return Seen(
            requests=sender.requests,
            writes=sender.writes,
            retries=sender.retries,
            failures=dict(sender.failures + Counter({name: each for name, each in counts.items() if " " in name})),
            refusals=dict(sender.refusals),
            p50_ms=_at(both, 0.5),
            p99_ms=_at(both, 0.99),
            longest_ms=_at(both, 1.0),
            write_longest_ms=round(1000 * sender.longest_write, 3),
            open_p99_ms=_at(waits, 0.99),
            open_longest_ms=_at(waits, 1.0),
            read_back=counts["read"],
            lost_rows=counts["rows"],
            lost_updates=counts["updates"],
            lost_values=counts["values"],
            losses=tuple(losses[:_LISTED]),
        )

    def _start(self, loop: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(loop)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _closed_loop(self, version: str) -> None:
        client = self.sender.client(self._ports[version])
        while not self._ending.is_set():
            began = perf_counter()
            await self.sender.send(self._known[version], client)
            self._times.append(perf_counter() - began)
        client.close()

    async def _open_loop(self, versions: list[str]) -> None:
        """Requests at a fixed rate, however long the answers take; the latency counts from the moment one is due."""
        free: dict[str, list[Client]] = {version: [] for version in versions}
        began, number = perf_counter(), 0

        async def one(version: str, due: float) -> None:
            client = free[version].pop() if free[version] else self.sender.client(self._ports[version])
            await self.sender.send(self._known[version], client)
            self._open_times.append(perf_counter() - due)
            free[version].append(client)
            if self._ending.is_set():
                client.close()

        while not self._ending.is_set():
            due = began + number / self._settings.rate
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), max(due - perf_counter(), 0))
                break
            self._start(one(versions[number % len(versions)], due))
            number += 1
        for client in chain.from_iterable(free.values()):
            client.close()


def _at(times: list[float], share: float) -> float:
    return round(1000 * times[min(int(len(times) * share), len(times) - 1)], 3) if times else 0.0


async def main(settings: Settings) -> None:
    traffic = Traffic(settings)
    async for command in child.commands(Learn | Begin | End):
        match command:
            case Learn():
                child.answer(await traffic.learn(command.version, command.port))
            case Begin():
                traffic.begin(command.ports)
                child.answer(Begun())
            case End():
                child.answer(await traffic.end(everything=command.everything))


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Settings)))
