"""One request of the load: drawn at random, sent, and its outcome recorded."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

import msgspec

from service.migrate.proof.rehearse.bodies import Bodies, Unfit
from service.migrate.proof.rehearse.client import Answer, Client
from service.migrate.proof.rehearse.memory import Memory, Written, parameters_of
from service.migrate.proof.rehearse.messages import Settings
from service.migrate.proof.rehearse.openapi import Api, Operation

_STALE = 412
_ATTEMPTS = 3
_CREATED_SHARE = 0.4


@dataclass(kw_only=True)
class Used:
    """A version, the operations of it that the load uses, and why it does not use others."""

    version: str
    api: Api
    bodies: Bodies
    unused: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Sender:
    """Sends requests and counts what became of them since `begin`."""

    settings: Settings
    random: Random
    requests: int = 0
    writes: int = 0
    retries: int = 0
    longest_write: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    memory: Memory = field(init=False)
    _keys: int = 0

    def __post_init__(self) -> None:
        self.memory = Memory(random=self.random, versions=self.settings.versions)

    def begin(self) -> None:
        self.requests = self.writes = self.retries = 0
        self.longest_write = 0.0
        self.failures, self.refusals = Counter(), Counter()

    def client(self, port: int) -> Client:
        return Client(port, self.settings.timeout_seconds)

    async def send(self, used: Used, client: Client) -> None:
        """Send a request that the settings' shares and weights choose."""
        if self.random.random() < self.settings.writes and await self._write(used, client):
            return
        if used.api.reads:
            await self.read(used, self._drawn(used.api.reads), client)

    async def read(self, used: Used, operation: Operation, client: Client) -> Answer | None:
        """Send a GET; `None` if no resource is known to read, or no answer came."""
        path = self.memory.to_read(used.api, operation.path)
        return await self.exchange(used, operation, path, client) if path else None

    async def create(self, used: Used, holder: str, client: Client) -> Answer | None:
        """Send a POST and know the new resource; `None` if no body fits, or no answer came."""
        operation = used.api.creates[holder]
        path = self.memory.to_read(used.api, operation.path)
        try:
            sent = used.bodies.make(operation.schema)
        except Unfit:
            return None
        if not path:
            return None
        self.writes += 1
        answer = await self.exchange(used, operation, path, client, sent)
        if answer is None or answer.status not in (200, 201):
            return answer
        document = _decoded(answer)
        parameters = parameters_of(holder, answer.headers.get("location", ""), document)
        if parameters is not None:
            new = self.memory.add(holder, parameters, used.version)
            self._acknowledge(used, operation, new, sent, answer, replaces=True)
        return answer

    async def update(self, used: Used, operation: Operation, client: Client) -> Answer | None:
        """Send a PATCH or PUT, again after 412 with the new ETag; `None` as `create`."""
        path = self.memory.to_write(used.version, used.api, operation.path)
        if not path:
            return None
        try:
            sent = used.bodies.make(operation.schema)
            self.writes += 1
            return await self._update(used, operation, path, client, sent)
        except Unfit:
            return None
        finally:
            self.memory.give_back(path)

    async def exchange(
        self, used: Used, operation: Operation, path: str, client: Client, sent: Any = None, etag: str = ""
    ) -> Answer | None:
        """Send a request and count its outcome; `None` without an answer, or where the service failed."""
        self.requests += 1
        name = f"{used.version}: {operation.name}"
        target = f"{path}?limit={min(operation.limit, 20)}" if operation.limit else path
        body = None if sent is None else msgspec.json.encode(sent)
        began = perf_counter()
        try:
            answer = await client.ask(operation.method, target, self._headers(operation, etag, body), body)
        except TimeoutError:
            self.failures[f"{name} no answer in {self.settings.timeout_seconds:g} s"] += 1
            return None
        except OSError as failure:
            self.failures[f"{name} {type(failure).__name__}"] += 1
            return None
        finally:
            if operation.method != "GET":
                self.longest_write = max(self.longest_write, perf_counter() - began)
        if answer.status >= 500:
            self.failures[f"{name} {answer.status}"] += 1
        elif answer.status >= 400 and answer.status != _STALE:
            self.refusals[f"{name} {answer.status}"] += 1
        return answer

    async def _write(self, used: Used, client: Client) -> bool:
        creates, updates = used.api.creates, used.api.updates
        if creates and (not updates or self.random.random() < _CREATED_SHARE):
            holders = {each.name: holder for holder, each in creates.items()}
            operation = self._drawn(list(creates.values()))
            return await self.create(used, holders[operation.name], client) is not None
        return bool(updates) and await self.update(used, self._drawn(updates), client) is not None

    async def _update(self, used: Used, operation: Operation, path: str, client: Client, sent: Any) -> Answer | None:
        answer = None
        for attempt in range(_ATTEMPTS):
            written = self.memory.written.get(path)
            etag = written.etag if written else ""
            if "if-match" in operation.headers and (not etag or attempt):
                etag = await self._etag(used, path, client)
            answer = await self.exchange(used, operation, path, client, sent, etag)
            if answer is None or answer.status != _STALE:
                break
            self.retries += 1
        replaces = operation.method == "PUT"
        if answer is not None and answer.status < 300:
            self._acknowledge(used, operation, path, sent, answer, replaces=replaces)
        elif answer is None or answer.status >= 500:
            if known := self.memory.written.get(path):
                known.doubt(sent, replaces=replaces)
        elif answer.status == _STALE:
            self.refusals[f"{used.version}: {operation.name} {_STALE}"] += 1
        return answer

    async def _etag(self, used: Used, path: str, client: Client) -> str:
        found = await self.exchange(used, Operation(method="GET", path="the ETag"), path, client)
        return found.headers.get("etag", "") if found is not None else ""

    def _acknowledge(
        self, used: Used, operation: Operation, path: str, sent: Any, answer: Answer, *, replaces: bool
    ) -> None:
        if not isinstance(sent, dict):
            return
        known = self.memory.written.setdefault(path, Written(version=used.version, operation=operation.name))
        known.acknowledge(sent, _decoded(answer), replaces=replaces)
        known.etag = answer.headers.get("etag", "")

    def _drawn(self, operations: list[Operation]) -> Operation:
        if not self.settings.weights:
            return self.random.choice(operations)
        weights = [self.settings.weights.get(each.name, 1.0) for each in operations]
        return self.random.choices(operations, weights)[0] if any(weights) else operations[0]

    def _headers(self, operation: Operation, etag: str, body: bytes | None) -> dict[str, str]:
        headers = dict(self.settings.headers)
        if body is not None:
            headers["content-type"] = operation.media_type
        if etag and "if-match" in operation.headers:
            headers["if-match"] = etag
        if "idempotency-key" in operation.headers:
            self._keys += 1
            headers["idempotency-key"] = f"rehearsal-{self.settings.seed}-{self._keys}"
        return headers


def _decoded(answer: Answer) -> Any:
    """The document of an answer; `None` if it has none."""
    try:
        found = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
