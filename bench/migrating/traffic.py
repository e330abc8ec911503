"""The traffic during a change: connections that read and write until they are stopped, and record confirmed writes.

`python -m bench.migrating.traffic` reads a `Traffic` from a line of stdin, and prints `Seen` after a line of `Stop`.
"""

import random
import select
import sys
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter, sleep

import msgspec

from bench.load import Caller
from service.migrate.proof.rehearse import child
from service.migrate.proof.rehearse.messages import Begun, Stop

_POLL_SECONDS = 0.05
_KINDS = ("get", "page", "post", "patch")
_EXPECTED = {"get": b"200", "page": b"200", "post": b"201", "patch": b"200"}


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The server, and the users `low` to `high` of the requests; `mark` distinguishes the writes of this run.

    All connections pause for `pause_seconds` after each round of answers.
    """

    port: int
    connections: int
    low: int
    high: int
    mark: int
    pause_seconds: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The number of requests, the failed ones by kind and status, and the latencies.

    `created` and `changed` are the confirmed writes: e-mail addresses, and the last address of each user.
    """

    requests: int
    failed: int
    failures: dict[str, int]
    longest_ms: float
    p99_ms: float
    created: list[str]
    changed: dict[int, str]


class _Asking:
    """One connection with its open request; no other connection writes to its users."""

    __slots__ = ("caller", "kind", "number", "who", "written")

    def __init__(self, number: int, caller: Caller) -> None:
        self.number = number
        self.caller = caller
        self.kind = ""
        self.who = 0
        self.written = ""


class _Callers:
    """All connections, with their latencies, failures and confirmed writes."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._span = (traffic.high - traffic.low) // traffic.connections
        self._draw = random.Random(traffic.mark)
        self._times: list[float] = []
        self._failures: dict[str, int] = {}
        self._created: list[str] = []
        self._changed: dict[int, str] = {}
        self._count = 0

    def run(self) -> Seen:
        with DefaultSelector() as selector:
            for number in range(self._traffic.connections):
                one = _Asking(number, Caller(self._traffic.port))
                selector.register(one.caller.socket, EVENT_READ, one)
                self._ask(one)
            asking = self._traffic.connections
            while asking:
                sleep(self._traffic.pause_seconds)
                ending = bool(select.select([sys.stdin], [], [], 0)[0])
                for key, _ in selector.select(_POLL_SECONDS):
                    if not self._hears(key.data, selector):
                        continue
                    # A connection ends after an answer, so that the outcome of every write is known.
                    if ending:
                        selector.unregister(key.data.caller.socket)
                        key.data.caller.socket.close()
                        asking -= 1
                    else:
                        self._ask(key.data)
        return self._seen()

    def _ask(self, one: _Asking) -> None:
        self._count += 1
        one.kind = self._draw.choice(_KINDS)
        one.who = self._traffic.low + self._draw.randrange(self._span) * self._traffic.connections + one.number
        one.written = f"{self._traffic.mark}.{self._count}"
        one.caller.ask(_request(one))

    def _hears(self, one: _Asking, selector: DefaultSelector) -> bool:
        """Return whether the answer is complete, and record it then."""
        answered = one.caller.hear()
        if answered is None:
            return False
        self._times.append(perf_counter() - one.caller.asked_at)
        if answered != _EXPECTED[one.kind]:
            failure = f"{one.kind} {answered.decode() or 'no answer'}"
            self._failures[failure] = self._failures.get(failure, 0) + 1
        elif one.kind == "post":
            self._created.append(f"new{one.written}@example.org")
        elif one.kind == "patch":
            self._changed[one.who] = one.written
        if not answered:
            selector.unregister(one.caller.socket)
            one.caller.socket.close()
            one.caller.connect()
            selector.register(one.caller.socket, EVENT_READ, one)
        return True

    def _seen(self) -> Seen:
        self._times.sort()
        return Seen(
            requests=len(self._times),
            failed=sum(self._failures.values()),
            failures=self._failures,
            longest_ms=1000 * self._times[-1],
            p99_ms=1000 * self._times[len(self._times) * 99 // 100],
            created=self._created,
            changed=self._changed,
        )


def _request(one: _Asking) -> bytes:
    if one.kind == "get":
        return _written("GET", f"/v1/users/{one.who}")
    if one.kind == "page":
        return _written("GET", "/v1/users?limit=20")
    if one.kind == "post":
        body = f'{{"name":"Ada","email":"new{one.written}@example.org","address":"-"}}'
        return _written("POST", "/v1/users", body)
    return _written("PATCH", f"/v1/users/{one.who}", f'{{"address":"{one.written}"}}')


def _written(method: str, path: str, body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


if __name__ == "__main__":
    while line := sys.stdin.buffer.readline():
        asked = msgspec.json.decode(line, type=Traffic)
        child.answer(Begun())
        seen = _Callers(asked).run()
        msgspec.json.decode(sys.stdin.buffer.readline(), type=Stop)
        child.answer(seen)
