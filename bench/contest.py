"""A contest: rivals take turns at an operation in short rounds, after a check that their answers are equal."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from statistics import median
from typing import Any, NamedTuple

import msgspec

from bench.load import Load, Outcome
from bench.operations import CURSOR, Operation
from bench.processes import peak_memory, processor_seconds
from bench.rivals import ROOT, Rival, Server
from service.migrate.proof.rehearse.child import Child

WARM_UP_SECONDS = 1.0
_EXAMPLES = 5

# Every request of a run gets a different number.
_numbers = count(1)
_BLOCK = 10_000_000


class Measured(msgspec.Struct, kw_only=True):
    """The rounds of one rival at one operation."""

    operation: str
    title: str
    rival: str
    outcomes: list[Outcome] = []
    processor_seconds: float = 0.0
    memory_mib: float | None = None

    def of(self, figure: Callable[[Outcome], float | None]) -> float | None:
        """Return the median of a figure over the rounds."""
        values = [value for each in self.outcomes if (value := figure(each)) is not None]
        return median(values) if values else None

    def to(self, other: "Measured", figure: Callable[[Outcome], float | None]) -> float | None:
        """Return the ratio to another rival's figure: the median over the rounds."""
        ratios = []
        for mine, theirs in zip(self.outcomes, other.outcomes, strict=True):
            if (above := figure(mine)) is not None and (below := figure(theirs)):
                ratios.append(above / below)
        return median(ratios) if ratios else None

    def processor_us(self) -> float | None:
        """Return the CPU microseconds of the rival's processes for each request."""
        requests = sum(each.requests for each in self.outcomes)
        return 1e6 * self.processor_seconds / requests if self.processor_seconds else None

    def rate_to(self, other: "Measured") -> float | None:
        return self.to(other, rate)

    def p99_to(self, other: "Measured") -> float | None:
        return self.to(other, p99)

    def processor_to(self, other: "Measured") -> float | None:
        mine, theirs = self.processor_us(), other.processor_us()
        return mine / theirs if mine and theirs else None

    def spread(self, _other: "Measured") -> float | None:
        """Return how many times the median the longest wait is."""
        return self.of(spread)

    def memory_to(self, other: "Measured") -> float | None:
        return self.memory_mib / other.memory_mib if self.memory_mib and other.memory_mib else None


def rate(outcome: Outcome) -> float:
    return outcome.per_second


def p50(outcome: Outcome) -> float | None:
    return outcome.p50_ms


def p99(outcome: Outcome) -> float | None:
    return outcome.p99_ms


def spread(outcome: Outcome) -> float | None:
    return outcome.longest_ms / outcome.p50_ms if outcome.longest_ms and outcome.p50_ms else None


class Turn(NamedTuple):
    """One rival at one operation."""

    operation: Operation
    server: Server


def turns(operations: Sequence[Operation], servers: Sequence[Server]) -> list[Turn]:
    """Return the turns of one round: every rival at every operation."""
    return [
        Turn(replace(each, path=each.path.replace(CURSOR, server.cursor)), server)
        for each in operations
        for server in servers
    ]


def check(turns: Sequence[Turn]) -> None:
    """Compare the answers of all rivals to the same requests.

    Raises:
        AssertionError: an answer is wrong or differs, so that a comparison of speed would have no meaning.
    """
    rights: dict[tuple[str, int], Any] = {}
    for operation, server in turns:
        low, high = operation.numbers
        for n in {low + (high - low) * step // _EXAMPLES for step in range(_EXAMPLES + 1)}:
            numbers = {"n": n, "k": next(_numbers) * _BLOCK}
            status, body = server.ask(
                operation.method, operation.path % numbers, operation.body % numbers, operation.headers
            )
            about = f"{server.rival.name} at {operation.name} of {n}"
            assert status == operation.status, f"{about}: {status} {body[:500]!r}"
            document = msgspec.json.decode(body)
            assert operation.varies <= document.keys(), f"{about}: {document.keys()}"
            same = {name: value for name, value in document.items() if name not in operation.varies}
            right = rights.setdefault((operation.name, n), same)
            assert same == right, f"{about} differs: {body[:500]!r}"


class Contest:
    """Rounds in which the rivals take turns; each round begins with another rival."""

    def __init__(self, turns: Sequence[Turn], generator: Child, *, seconds: float, connections: int) -> None:
        self._generator = generator
        self._seconds = seconds
        self._connections = connections
        self._turns = turns
        self._rounds = 0
        self.measured = [
            Measured(operation=operation.name, title=operation.title, rival=server.rival.name)
            for operation, server in turns
        ]
        for turn in turns:
            ask(turn, generator, min(seconds, WARM_UP_SECONDS), connections)

    def run_round(self) -> None:
        """Let every rival run its operations; several take turns in the order A B B A, each for half of the time."""
        by_rival: defaultdict[Rival, list[tuple[Turn, Measured]]] = defaultdict(list)
        for pair in zip(self._turns, self.measured, strict=True):
            by_rival[pair[0].server.rival].append(pair)
        order = deque(by_rival.values())
        order.rotate(-self._rounds)
        self._rounds += 1
        for own in order:
            if len(own) == 1:
                self._run(*own[0], self._seconds)
                continue
            for turn, mine in (*own, *reversed(own)):
                self._run(turn, mine, self._seconds / 2)

    def _run(self, turn: Turn, mine: Measured, seconds: float) -> None:
        before = processor_seconds(turn.server.pid)
        mine.outcomes.append(ask(turn, self._generator, seconds, self._connections))
        mine.processor_seconds += processor_seconds(turn.server.pid) - before
        mine.memory_mib = peak_memory(turn.server.pid)


def load_generator() -> Child:
    """Return a process of `bench.load`, which ends with the `with` block."""
    return Child("bench.load", cwd=ROOT)


def ask(turn: Turn, generator: Child, seconds: float, connections: int) -> Outcome:
    """Send requests to the server for so many seconds."""
    operation, server = turn
    low, high = operation.numbers
    load = Load(
        port=server.port,
        request=operation.request,
        status=operation.status,
        seconds=seconds,
        connections=connections,
        low=low,
        high=high,
        count_from=next(_numbers) * _BLOCK,
    )
    return generator.ask(load, Outcome)
