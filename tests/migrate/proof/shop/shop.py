"""A service over one table, as small as a rehearsal can use; it knows nothing of the migrator."""

import json
import os
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

COLUMNS = ("title", "pages")
URL = os.environ.get("SHOP_DATABASE_URL", "")
SCHEMAS = {"title": {"type": "string", "maxLength": 50}, "pages": {"type": "integer"}, "isbn": {"type": "string"}}
_pools: list[Any] = []


def _document() -> dict[str, Any]:
    properties = {name: SCHEMAS[name] for name in COLUMNS}
    content = {"application/json": {"schema": {"type": "object", "properties": properties, "required": list(COLUMNS)}}}
    body = {"requestBody": {"content": content}, "responses": {"200": {"content": content}}}
    return {"paths": {"/books": {"get": {}, "post": body}, "/books/{id}": {"get": {}, "patch": body, "delete": {}}}}


async def _query(sql: str, *values: Any) -> list[dict[str, Any]]:
    if URL.startswith("postgresql"):
        if not _pools:
            _pools.append(await asyncpg.create_pool(URL, min_size=1, max_size=4))
        for number in range(len(values)):
            sql = sql.replace("?", f"${number + 1}", 1)
        return [dict(row) for row in await _pools[0].fetch(sql, *values)]
    connection = sqlite3.connect(URL.removeprefix("sqlite:///"), timeout=5)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            return [dict(row) for row in connection.execute(sql, values).fetchall()]
    finally:
        connection.close()


async def _answer(method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    fields = ", ".join(COLUMNS)
    if path == "/openapi.json":
        return 200, _document()
    if path == "/books" and method == "GET":
        return 200, {"items": await _query(f"SELECT id, {fields} FROM books ORDER BY id LIMIT 20")}
    if path == "/books":
        names, marks = ", ".join(body), ", ".join("?" * len(body))
        made = await _query(f"INSERT INTO books ({names}) VALUES ({marks}) RETURNING id, {fields}", *body.values())
        return 201, made[0]
    if not path.startswith("/books/"):
        return 404, {}
    id = int(path.removeprefix("/books/"))
    if method == "PATCH" and body:
        changes = ", ".join(f"{name} = ?" for name in body)
        found = await _query(f"UPDATE books SET {changes} WHERE id = ? RETURNING id, {fields}", *body.values(), id)
    elif method == "DELETE":
        found = await _query("DELETE FROM books WHERE id = ? RETURNING id", id)
    else:
        found = await _query(f"SELECT id, {fields} FROM books WHERE id = ?", id)
    return (200, found[0]) if found else (404, {})


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """An ASGI application."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive()).get("body") or message.get("more_body"):
        body += message["body"]
        if not message.get("more_body"):
            break
    status, document = await _answer(scope["method"], scope["path"], json.loads(body or b"{}"))
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})
