"""One request of the load: drawn at random, sent, and its outcome recorded."""

from collections import Counter
from dataclasses import dataclass, field, replace
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
_GONE = (404, 410)
_ATTEMPTS = 3
# Shares of the writes: POST, DELETE, and links; the rest are PATCH and PUT.
_CREATED, _DELETED, _LINKED = 0.4, 0.1, 0.15
_UNLINKED = 0.3


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
            return await self._update(used, operation, path, client, sent)
        except Unfit:
            return None
        finally:
            self.memory.give_back(path)

    async def delete(self, used: Used, operation: Operation, client: Client) -> Answer | None:
        """Delete a resource that the load itself made; `None` as `create`."""
        path = self.memory.to_delete(used.version, operation.path)
        if not path:
            return None
        self.memory.written.pop(path, None)
        answer = await self._changed(used, operation, path, client, None)
        if answer is not None and answer.status < 300:
            self.memory.deleted(used.version, operation.name, path)
        self.memory.give_back(path)
        return answer

    async def link(self, used: Used, path: str, client: Client) -> Answer | None:
        """Connect two resources, or take a connection away; `None` as `create`."""
        put, delete = used.api.links[path]
        if self.random.random() < _UNLINKED and (link := self.memory.to_unlink(used.version, path)):
            self.memory.written.pop(link, None)
            answer = await self._changed(used, delete, link, client, None)
            if answer is not None and answer.status < 300:
                self.memory.unlinked(used.version, delete.name, path, link)
            self.memory.give_back(link)
            return answer
        link = self.memory.to_link(used.version, used.api, path)
        if not link:
            return None
        try:
            # A link that is not there yet has no ETag.
            put = replace(put, headers=put.headers - {"if-match"})
            self.memory.written.pop(link, None)
            answer = await self._update(used, put, link, client, used.bodies.make(put.schema) if put.schema else None)
            if answer is not None and answer.status < 300:
                self.memory.linked(used.version, path, link)
            return answer
        except Unfit:
            return None
        finally:
            self.memory.give_back(link)

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
        elif answer.status in _GONE and self.memory.is_removed(path):
            # Chosen before another request deleted the resource.
            pass
        elif answer.status >= 400 and answer.status != _STALE:
            self.refusals[f"{name} {answer.status}"] += 1
        return answer

    async def _write(self, used: Used, client: Client) -> bool:
        api, drawn = used.api, self.random.random()
        if api.creates and (drawn < _CREATED or not api.updates):
            holders = {each.name: holder for holder, each in api.creates.items()}
            operation = self._drawn(list(api.creates.values()))
            return await self.create(used, holders[operation.name], client) is not None
        if api.deletes and drawn < _CREATED + _DELETED:
            return await self.delete(used, self._drawn(api.deletes), client) is not None
        if api.links and drawn < _CREATED + _DELETED + _LINKED:
            operation = self._drawn([put for put, _ in api.links.values()])
            return await self.link(used, operation.path, client) is not None
        return bool(api.updates) and await self.update(used, self._drawn(api.updates), client) is not None

    async def _update(self, used: Used, operation: Operation, path: str, client: Client, sent: Any) -> Answer | None:
        answer = await self._changed(used, operation, path, client, sent)
        replaces = operation.method == "PUT"
        if answer is not None and answer.status < 300:
            self._acknowledge(used, operation, path, {} if sent is None else sent, answer, replaces=replaces)
        elif (answer is None or answer.status >= 500) and (known := self.memory.written.get(path)):
            known.doubt(sent or {}, replaces=replaces)
        return answer

    async def _changed(self, used: Used, operation: Operation, path: str, client: Client, sent: Any) -> Answer | None:
        """Send a change, again after 412 with the new ETag."""
        self.writes += 1
        answer = None
        for attempt in range(_ATTEMPTS):
            written = self.memory.written.get(path)
            etag = written.etag if written else ""
            if "if-match" in operation.headers and (not etag or attempt):
                etag = await self._etag(used, path, client)
            answer = await self.exchange(used, operation, path, client, sent, etag)
            if answer is None or answer.status != _STALE:
                return answer
            self.retries += 1
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
