"""Imports and exports of a whole table: compared with a bare COPY of prepared rows, and with a bare cursor."""

from collections.abc import Iterator
from http.client import HTTPResponse
from time import perf_counter

from bench import data
from bench.contest import Measured
from bench.databases import Database
from bench.load import Outcome
from bench.processes import forget_peak, peak_memory
from bench.rivals import FLOOR, SERVICE, Server

_CHUNK_BYTES = 1 << 16
_NOT_SERVED = (404, 405)


def export(servers: list[Server], *, users: int, rounds: int) -> list[Measured]:
    """Return the exports of all users by the rivals that have an export."""
    measured = [_measured("export", f"export {users:,} users", server.rival.name) for server in servers]
    for _ in range(rounds):
        for server, mine in zip(servers, measured, strict=True):
            forget_peak(server.pid)
            started = perf_counter()
            lines = _exported(server)
            if lines is None:
                continue
            mine.outcomes.append(Outcome(requests=lines, failed=abs(users - lines), seconds=perf_counter() - started))
            mine.memory_mib = peak_memory(server.pid)
    return [each for each in measured if each.outcomes]


def _exported(server: Server) -> int | None:
    connection = server.connect()
    try:
        connection.request("GET", "/v1/users/export", headers={"accept": "application/x-ndjson"})
        answer = connection.getresponse()
        if answer.status in _NOT_SERVED:
            return None
        assert answer.status == 200, f"{server.rival.name} answered {answer.status} to an export: {answer.read()!r}"
        return sum(chunk.count(b"\n") for chunk in _chunks(answer))
    finally:
        connection.close()


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK_BYTES):
        yield chunk


def take_in(name: str, server: Server, database: Database, *, users: int, rounds: int) -> list[Measured]:
    """Return the CSV imports by the service, and COPY of the same rows; the table users is emptied before each."""
    service, floor = (_measured(name, f"import {users:,} users", rival.name) for rival in (SERVICE, FLOOR))
    rows = [{key: value for key, value in row.items() if key != "id"} for row in data.users(users)]
    file = data.as_csv(iter(rows))
    for _ in range(rounds):
        database.empty("users")
        database.settle()
        floor.outcomes.append(Outcome(requests=users, seconds=database.copy("users", rows)))
        database.empty("users")
        database.settle()
        forget_peak(server.pid)
        started = perf_counter()
        if not _imported(server, file):
            return []
        seconds = perf_counter() - started
        stored = database.count("users")
        service.outcomes.append(Outcome(requests=stored, failed=users - stored, seconds=seconds))
        service.memory_mib = peak_memory(server.pid)
    return [service, floor]


def _imported(server: Server, file: bytes) -> bool:
    connection = server.connect()
    try:
        connection.request("POST", "/v1/users/import?mode=create", file, {"content-type": "text/csv"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status in _NOT_SERVED:
            return False
        assert answer.status == 200, f"{server.rival.name} answered {answer.status} to an import: {body!r}"
        return True
    finally:
        connection.close()


def _measured(name: str, title: str, rival: str) -> Measured:
    return Measured(operation=name, title=title, rival=rival)
