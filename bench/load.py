"""The load generator: one process whose connections send the next request as soon as an answer is complete.

`python -m bench.load` reads a `Load` from each line of stdin and prints an `Outcome` for each. The generator is a
separate process and does little work, since it shares the processors with the server that it measures.
"""

import random
import re
import socket
import sys
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter

import msgspec

from service.migrate.proof.rehearse import child

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_SILENCE_SECONDS = 30.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to the server on `port`: in `request`, `%(n)d` is random from `low` to `high`, `%(k)d` is a counter."""

    port: int
    request: bytes
    status: int
    seconds: float
    connections: int
    low: int
    high: int
    count_from: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a `Load`; `failed` counts answers with another status and closed connections."""

    requests: int
    failed: int = 0
    seconds: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    longest_ms: float | None = None

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Caller:
    """One connection, with the answer received so far."""

    __slots__ = ("asked_at", "heard", "port", "socket", "wanted")

    def __init__(self, port: int) -> None:
        self.port = port
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=_SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> None:
        self.heard, self.wanted = b"", 0
        self.asked_at = perf_counter()
        self.socket.sendall(request)

    def hear(self) -> bytes | None:
        """Return the status of a complete answer, `None` before, or `b""` if the connection was closed."""
        try:
            part = self.socket.recv(1 << 18)
        except ConnectionError:
            part = b""
        if not part:
            return b""
        self.heard = self.heard + part if self.heard else part
        if not self.wanted:
            end = self.heard.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self.heard, 0, end)
            self.wanted = end + 4 + (int(length[1]) if length else 0)
        return self.heard[9:12] if len(self.heard) >= self.wanted else None


def run(load: Load) -> Outcome:
    """Send requests for the seconds of the load, and return the outcome."""
    status = str(load.status).encode()
    times: list[float] = []
    failed = 0
    count = load.count_from
    low, span = load.low, load.high - load.low + 1
    draw = random.Random(count).random

    def ask(caller: Caller) -> None:
        nonlocal count
        count += 1
        caller.ask(load.request % {b"n": low + int(draw() * span), b"k": count})

    with DefaultSelector() as selector:
        for _ in range(load.connections):
            caller = Caller(load.port)
            selector.register(caller.socket, EVENT_READ, caller)
            ask(caller)
        started = perf_counter()
        # A round has at least one answer, also on a busy machine.
        while perf_counter() - started < load.seconds or not times:
            ready = selector.select(_SILENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"The server did not answer for {_SILENCE_SECONDS:g} seconds.")
            for key, _ in ready:
                caller = key.data
                answered = caller.hear()
                if answered is None:
                    continue
                times.append(perf_counter() - caller.asked_at)
                failed += answered != status
                if not answered:
                    selector.unregister(caller.socket)
                    caller.socket.close()
                    caller.connect()
                    selector.register(caller.socket, EVENT_READ, caller)
                ask(caller)
        seconds = perf_counter() - started
        for key in selector.get_map().values():
            key.data.socket.close()
    times.sort()
    return Outcome(
        requests=len(times),
        failed=failed,
        seconds=seconds,
        p50_ms=1000 * times[len(times) // 2],
        p99_ms=1000 * times[len(times) * 99 // 100],
        longest_ms=1000 * times[-1],
    )


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        child.answer(run(msgspec.json.decode(line, type=Load)))
