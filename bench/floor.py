"""The floor: a bare ASGI application with the service's SQL and JSON, and nothing else between driver and socket."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bench import cursors
from bench.drivers import Driver, driver_of
from bench.garbage import settle
from bench.statements import Statements
from service.db.clock import now
from service.db.folding import fold
from service.employees import schemas as employees
from service.users import schemas as users

_WIDTH = len(employees.Employee.__struct_fields__)
_ROLES = users.User.__struct_fields__.index("roles")

NDJSON = b"application/x-ndjson"

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_read_create = msgspec.json.Decoder(users.UserCreate).decode
_read_update = msgspec.json.Decoder(users.UserUpdate).decode


class Floor:
    """A bare ASGI application: two comparisons for routing, and no validation except the type of a body."""

    def __init__(self, driver: Driver, statements: Statements) -> None:
        self._driver = driver
        self._statements = statements
        self._shown: Callable[[Sequence[Any]], users.User] = _from_json if driver.lists_are_json else _from_row

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["path"] == "/v1/users/export":
            await self._export(send)
            return
        noun, _, key = scope["path"].removeprefix("/v1/").partition("/")
        status = 200
        if scope["method"] == "POST":
            status, body = 201, await self._create(_read_create(await _whole(receive)))
        elif scope["method"] == "PATCH":
            body = await self._update(int(key), _read_update(await _whole(receive)))
        elif noun == "employees":
            body = await self._employee(int(key))
        elif key:
            body = await self._user(int(key))
        else:
            body = await self._page(scope["query_string"])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self._driver.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._driver.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _user(self, id: int) -> bytes:
        rows = await self._driver.fetch(self._statements.user, id=id)
        return _encode(self._shown(rows[0]))

    async def _page(self, query: bytes) -> bytes:
        asked = dict(pair.split(b"=", 1) for pair in query.split(b"&"))
        limit = int(asked[b"limit"])
        if cursor := asked.get(b"cursor"):
            rows = await self._driver.fetch(self._statements.page(limit, after=True), after_id=cursors.read(cursor))
        else:
            rows = await self._driver.fetch(self._statements.page(limit, after=False))
        items = list(map(self._shown, rows[:limit]))
        return _encode({"items": items, "next_cursor": cursors.write(items[-1].id) if len(rows) > limit else None})

    async def _export(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", NDJSON)]})
        async for rows in self._driver.batches(self._statements.export):
            lines = _encode_lines(list(map(_exported, rows)))
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _employee(self, id: int) -> bytes:
        rows = await self._driver.fetch(self._statements.employee, id=id)
        departments = [employees.EmployeeDepartment(*row[_WIDTH:]) for row in rows if row[_WIDTH] is not None]
        return _encode(employees.EmployeeShown(*(*rows[0][:_WIDTH], departments)))

    async def _create(self, user: users.UserCreate) -> bytes:
        moment = now()
        values = msgspec.structs.asdict(user) | {"version": 1, "created_at": moment, "updated_at": moment}
        keys = {"name_key": fold(user.name), "email_key": fold(user.email)}
        async with self._driver.transaction() as run:
            rows = await run(self._statements.insert, **values, **keys)
        return _encode(self._shown(rows[0]))

    async def _update(self, id: int, patch: users.UserUpdate) -> bytes:
        async with self._driver.transaction() as run:
            user = self._shown((await run(self._statements.lock, id=id))[0])
            new = {"address": patch.address, "version": user.version + 1, "updated_at": now()}
            rows = await run(self._statements.update, of_id=id, of_version=user.version, **new)
        return _encode(self._shown(rows[0]))


def _from_row(row: Sequence[Any]) -> users.User:
    return users.User(*row)


def _from_json(row: Sequence[Any]) -> users.User:
    values = list(row)
    # The response shows the text as it is.
    values[_ROLES] = msgspec.Raw(row[_ROLES].encode())
    return users.User(*values)


def _exported(row: Sequence[Any]) -> users.UserExport:
    values = list(row)
    if isinstance(row[_ROLES], str):
        values[_ROLES] = msgspec.Raw(row[_ROLES].encode())
    values[-1] = msgspec.Raw(row[-1].encode())
    return users.UserExport(*values)


async def _whole(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


def application() -> Floor:
    """The application factory of the floor."""
    url = os.environ["ROSTER_DATABASE_URL"]
    settle()
    return Floor(driver_of(url), Statements(url))
