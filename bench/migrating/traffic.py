"""The traffic beside a change: callers that read and write until their input ends, and know what they were promised.

It runs as `python -m bench.migrating.traffic`, reads a `Traffic` from its first line and prints `Seen` at the end.
"""

import random
import select
import sys
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter

import msgspec

from bench.load import Caller

_POLL_SECONDS = 0.05
_KINDS = ("get", "page", "post", "patch")
_EXPECTED = {"get": b"200", "page": b"200", "post": b"201", "patch": b"200"}


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the callers ask, about users `low` to `high`; `mark` tells their writes from those of other runs."""

    port: int
    connections: int
    low: int
    high: int
    mark: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What they met: requests, those that were not answered as they had to be, and the slowest.

    `created` and `changed` are the writes that were confirmed: e-mail addresses, and the last address of each user.
    """

    requests: int
    failed: int
    failures: dict[str, int]
    longest_ms: float
    p99_ms: float
    created: list[str]
    changed: dict[int, str]


class _Asking:
    """One caller: it writes to users of its own, so that it knows what each must say."""

    __slots__ = ("caller", "kind", "number", "who", "written")

    def __init__(self, number: int, caller: Caller) -> None:
        self.number = number
        self.caller = caller
        self.kind = ""
        self.who = 0
        self.written = ""


def run(traffic: Traffic) -> Seen:
    draw = random.Random(traffic.mark)
    times: list[float] = []
    failures: dict[str, int] = {}
    created: list[str] = []
    changed: dict[int, str] = {}
    count = 0

    def ask(one: _Asking) -> None:
        nonlocal count
        count += 1
        one.kind = draw.choice(_KINDS)
        span = (traffic.high - traffic.low) // traffic.connections
        one.who = traffic.low + draw.randrange(span) * traffic.connections + one.number
        one.written = f"{traffic.mark}.{count}"
        one.caller.ask(_request(one))

    def note(one: _Asking, answered: bytes) -> None:
        if answered != _EXPECTED[one.kind]:
            told = f"{one.kind} {answered.decode() or 'no answer'}"
            failures[told] = failures.get(told, 0) + 1
        elif one.kind == "post":
            created.append(f"new{one.written}@example.org")
        elif one.kind == "patch":
            changed[one.who] = one.written

    with DefaultSelector() as selector:
        for number in range(traffic.connections):
            one = _Asking(number, Caller(traffic.port))
            selector.register(one.caller.socket, EVENT_READ, one)
            ask(one)
        asking = set(range(traffic.connections))
        while asking:
            ending = bool(select.select([sys.stdin], [], [], 0)[0])
            for key, _ in selector.select(_POLL_SECONDS):
                one = key.data
                answered = one.caller.hear()
                if answered is None:
                    continue
                times.append(perf_counter() - one.caller.asked_at)
                note(one, answered)
                if not answered:
                    selector.unregister(one.caller.socket)
                    one.caller.socket.close()
                    one.caller.connect()
                    selector.register(one.caller.socket, EVENT_READ, one)
                # Whoever was answered at the end knows what became of all that they wrote.
                if ending:
                    selector.unregister(one.caller.socket)
                    asking.discard(one.number)
                else:
                    ask(one)
    times.sort()
    return Seen(
        requests=len(times),
        failed=sum(failures.values()),
        failures=failures,
        longest_ms=1000 * times[-1],
        p99_ms=1000 * times[len(times) * 99 // 100],
        created=created,
        changed=changed,
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
    asked = msgspec.json.decode(sys.stdin.readline(), type=Traffic)
    print("asking", flush=True)
    sys.stdout.buffer.write(msgspec.json.encode(run(asked)))
