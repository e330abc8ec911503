"""What can be sent to a version: its OpenAPI document, tried once."""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from service.migrate.proof.rehearse.bodies import Bodies
from service.migrate.proof.rehearse.client import Answer, Client
from service.migrate.proof.rehearse.memory import id_of
from service.migrate.proof.rehearse.messages import Learned
from service.migrate.proof.rehearse.openapi import Api, Operation, read
from service.migrate.proof.rehearse.sending import Sender, Used

_DOCUMENTS = ("/openapi.json", "/schema/openapi.json", "/v1/openapi.json", "/api/openapi.json", "/docs/openapi.json")
_TRIES = 3
_RESOURCES = 8


async def learn(sender: Sender, version: str, port: int, others: tuple[Used, ...]) -> Used | Learned:
    """Read the document, the first page of each list, and try each operation; `Learned` has why that is impossible.

    An operation that only answers errors is not used, except that a version which serves beside another one is
    expected to answer what the other answered.
    """
    client = sender.client(port)
    try:
        document = await _document(sender, client)
        if document is None:
            where = sender.settings.openapi or ", ".join(_DOCUMENTS)
            return Learned(problem=f"there is no OpenAPI document at {where}: name its path as `openapi`")
        api = read(document, lambda each: _is_skipped(sender, each))
        bodies = Bodies(
            document=document,
            random=Random(f"{sender.settings.seed} {version}"),
            fixed=sender.settings.values,
            mark=f"{version[:1]}{sender.settings.seed:x}",
        )
        used = Used(version=version, api=api, bodies=bodies)
        await _find_rows(sender, used, client)
        await _try_all(sender, used, client, {name for each in others for name in _names(each.api)})
    finally:
        client.close()
    sender.begin()
    if not api.reads:
        return Learned(problem=f"no GET could be sent: {_some(used.unused)}", unused=used.unused)
    if not api.updates and not api.creates:
        return Learned(problem=f"nothing could be written: {_some(used.unused)}", unused=used.unused)
    return used


async def _document(sender: Sender, client: Client) -> Any:
    for path in [sender.settings.openapi] if sender.settings.openapi else _DOCUMENTS:
        answer = await client.ask("GET", path, sender.settings.headers)
        if answer.status == 200:
            try:
                return msgspec.json.decode(answer.body)
            except msgspec.DecodeError:
                continue
    return None


def _is_skipped(sender: Sender, operation: Operation) -> bool:
    """Whether the settings name the operation, its path, or the beginning of the path with a star."""
    for each in sender.settings.skip:
        method, _, path = each.rpartition(" ")
        if method in ("", operation.method) and (
            operation.path == path or (path.endswith("*") and operation.path.startswith(path[:-1]))
        ):
            return True
    return sender.settings.weights.get(operation.name) == 0


def _names(api: Api) -> set[str]:
    return {each.name for each in api.operations}


async def _find_rows(sender: Sender, used: Used, client: Client) -> None:
    """Know the resources on the first page of each list."""
    for holder in used.api.creates:
        collection = holder.rpartition("/")[0]
        name = holder.rpartition("{")[2].removesuffix("}")
        operation = next((each for each in used.api.reads if each.path == collection), None)
        if operation is None or "{" in collection:
            continue
        target = f"{collection}?limit={min(operation.limit, 200)}" if operation.limit else collection
        answer = await client.ask("GET", target, sender.settings.headers)
        for item in _items(answer):
            if value := id_of(name, item):
                sender.memory.add(holder, {name: value})


def _items(answer: Answer) -> list[Any]:
    if answer.status != 200:
        return []
    found = msgspec.json.decode(answer.body)
    lists = [found] if isinstance(found, list) else [each for each in found.values() if isinstance(each, list)]
    return lists[0] if lists else []


async def _try_all(sender: Sender, used: Used, client: Client, expected: set[str]) -> None:
    async def works(operation: Operation, send: Callable[[], Awaitable[Answer | None]], times: int) -> bool:
        answers = [await send() for _ in range(times)]
        if any(each is not None and each.status < 400 for each in answers):
            return True
        last = next((each for each in reversed(answers) if each is not None), None)
        if operation.name in expected or (expected and last is not None and last.status >= 500):
            return True
        used.unused[operation.name] = _why(last)
        return False

    for holder, operation in list(used.api.creates.items()):
        if not await works(operation, partial(sender.create, used, holder, client), _RESOURCES):
            del used.api.creates[holder]
    used.api.reads[:] = [
        each for each in used.api.reads if await works(each, partial(sender.read, used, each, client), _TRIES)
    ]
    used.api.updates[:] = [
        each for each in used.api.updates if await works(each, partial(sender.update, used, each, client), _TRIES)
    ]
    for path, (put, _) in list(used.api.links.items()):
        if not await works(put, partial(sender.link, used, path, client), _TRIES):
            del used.api.links[path]
    used.api.deletes[:] = [
        each for each in used.api.deletes if await works(each, partial(sender.delete, used, each, client), _TRIES)
    ]


def _why(answer: Answer | None) -> str:
    if answer is None:
        return "no resource to send it to, no body that fits, or no answer"
    try:
        document = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return str(answer.status)
    said = document.get("errors") or document.get("detail") or document if isinstance(document, dict) else document
    return f"{answer.status} {msgspec.json.encode(said).decode()[:200]}"


def _some(unused: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in list(unused.items())[:3]) or "the document describes none"
