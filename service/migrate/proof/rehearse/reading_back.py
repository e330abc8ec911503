"""Acknowledged writes read back, through the version that wrote them."""

import asyncio
from collections import Counter
from typing import Any

import msgspec

from service.migrate.proof.rehearse.client import Answer, Client
from service.migrate.proof.rehearse.memory import Written
from service.migrate.proof.rehearse.sending import Sender, Used

_GONE = (404, 410)
_CONNECTIONS = 4


async def read_back(sender: Sender, used: Used, port: int, *, everything: bool) -> tuple[Counter[str], list[str]]:
    """Return the numbers of paths read, and of lost rows, updates and values; and a line for each loss.

    Without `everything`, only what was written since the last time is read. With it, every resource that the version
    knows must also still exist, whichever version made it.
    """
    counts: Counter[str] = Counter()
    losses: list[str] = []
    waiting = [
        (path, each)
        for path, each in sender.memory.written.items()
        if each.version == used.version and (everything or each.is_new)
    ]
    if everything:
        known = {path for path, _ in waiting}
        waiting += [
            (path, Written(version=used.version, operation=f"GET {holder}"))
            for holder, path in sender.memory.paths()
            if holder in used.api.creates and path not in known
        ]

    async def work(client: Client) -> None:
        while waiting:
            path, written = waiting.pop()
            await _check(sender, used, client, path, written, counts, losses)
        client.close()

    await asyncio.gather(*(work(sender.client(port)) for _ in range(_CONNECTIONS)))
    return counts, losses


async def _check(
    sender: Sender,
    used: Used,
    client: Client,
    path: str,
    written: Written,
    counts: Counter[str],
    losses: list[str],
) -> None:
    counts["read"] += 1
    try:
        answer = await client.ask("GET", path, sender.settings.headers)
    except OSError as failure:
        counts[f"{used.version}: read back {type(failure).__name__}"] += 1
        return
    if written.is_gone:
        if answer.status < 400:
            counts["updates"] += 1
            losses.append(f"{path} is there again, which {written.operation} by {written.version} deleted")
        elif answer.status not in _GONE:
            counts[f"{used.version}: read back {answer.status}"] += 1
    elif answer.status in _GONE:
        counts["rows"] += 1
        losses.append(f"{path} of {written.operation} by {written.version} is gone ({answer.status})")
    elif answer.status >= 400:
        counts[f"{used.version}: read back {answer.status}"] += 1
    else:
        for kind, loss in lost(written, _document(answer)):
            counts[kind] += 1
            losses.append(f"{path} {loss}, written by {written.version}")
    written.is_new = False


def lost(written: Written, found: Any) -> list[tuple[str, str]]:
    """What differs from an acknowledged write: `updates` if the value before it is there, else `values`."""
    differing = []
    for name, value in written.values.items():
        now = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, dict) and name in found and now == value:
            continue
        has_old = name in written.before and now == written.before[name]
        differing.append(("updates" if has_old else "values", f"{name} is {now!r} instead of {value!r}"))
    return differing


def _document(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
