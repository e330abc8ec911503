"""What the load of a rehearsal sends to a service, and what it says of one that loses or refuses it."""

import asyncio
import socket
from random import Random
from typing import Any

import pytest

from service.migrate.proof.rehearse.learning import learn
from service.migrate.proof.rehearse.messages import Learned, Settings
from service.migrate.proof.rehearse.reading_back import read_back
from service.migrate.proof.rehearse.sending import Sender, Used
from service.migrate.proof.rehearse.traffic import Traffic
from tests.migrate.proof.library import DOCUMENT, Library, serving

LINK = "/books/{id}/shelves/{shelf}"


def settings(**others: Any) -> Settings:
    usual: dict[str, Any] = {
        "versions": ("new",),
        "connections": 2,
        "rate": 50.0,
        "writes": 1.0,
        "timeout_seconds": 30.0,
        "seed": 7,
        "headers": {"authorization": "Bearer x"},
        "openapi": "",
        "skip": (),
        "weights": {},
        "values": {},
    }
    return Settings(**{**usual, **others})


def sender(**others: Any) -> Sender:
    return Sender(settings=settings(**others), random=Random(7))


async def learned(sender: Sender, port: int) -> Used:
    used = await learn(sender, "new", port, ())
    assert isinstance(used, Used)
    return used


async def test_the_load_creates_changes_links_and_deletes_and_finds_it_again() -> None:
    library, one = Library(), sender()
    with serving(library) as port:
        used = await learned(one, port)
        assert used.unused == {"GET /broken": "500", "GET /refused": '403 "not you"'}
        client = one.client(port)
        library.stale = 2
        for _ in range(150):
            await one.send(used, client)
        client.close()
        assert (one.failures, one.refusals) == ({}, {})
        assert one.retries == 2
        methods = {(method, len(path.split("/"))) for method, path in library.asked}
        assert methods >= {("POST", 2), ("PATCH", 3), ("PUT", 4), ("DELETE", 3), ("PUT", 5), ("DELETE", 5)}
        assert len(library.keys) == sum(method == "POST" for method, _ in library.asked)
        counts, losses = await read_back(one, used, port, everything=True)
        assert losses == []
        assert counts.keys() == {"read"}
        assert counts["read"] >= len(one.memory.written)
        assert (await read_back(one, used, port, everything=False))[0] == {}


async def test_what_a_service_loses_is_named() -> None:
    library, one = Library(), sender(weights={"DELETE /books/{id}": 0})
    with serving(library) as port:
        used = await learned(one, port)
        client = one.client(port)
        for _ in range(5):
            await one.create(used, "/books/{id}", client)
        update = next(each for each in used.api.updates if each.path == "/books/{id}")
        changed = "/books/2"
        while len(one.memory.written[changed].before) < 1 or not one.memory.written[changed].values:
            await one.update(used, update, client)
        await one.link(used, LINK, client)
        client.close()
        (link,) = [path for path in one.memory.written if path.count("/") == 4][:1]
        one.memory.unlinked("new", "DELETE LINK", LINK, link)
        library.documents[link] = {}
        library.documents[changed] = one.memory.written[changed].before
        del library.documents["/books/3"]
        library.documents["/books/4"] = b"{"
        _, losses = await read_back(one, used, port, everything=True)
    was, now = (getattr(one.memory.written[changed], each)["name"] for each in ("values", "before"))
    known = one.memory.written["/books/4"].values["name"]
    assert set(losses) == {
        f"{link} is there again, which DELETE LINK by new deleted",
        f"{changed} name is {now!r} instead of {was!r}, written by new",
        "/books/3 of POST /books by new is gone (404)",
        f"/books/4 name is None instead of {known!r}, written by new",
    }


async def test_a_service_that_does_not_answer_is_a_failure() -> None:
    library, one = Library(), sender(timeout_seconds=0.05)
    with serving(library) as port:
        used = await learned(sender(), port)
    (read,) = [each for each in used.api.reads if each.path == "/books"]
    assert await one.read(used, read, one.client(port)) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert await one.read(used, read, one.client(silent.getsockname()[1])) is None
    assert one.failures == {"new: GET /books ConnectionRefusedError": 1, "new: GET /books no answer in 0.05 s": 1}
    counts, _ = await read_back(one, used, port, everything=True)
    assert counts == {}


@pytest.mark.parametrize(
    ("document", "others", "problem"),
    [
        (
            DOCUMENT,
            {"openapi": "/v1/of/api.json"},
            "there is no OpenAPI document at /v1/of/api.json: name its path as `openapi`",
        ),
        (b"<html>", {}, "there is no OpenAPI document at /openapi.json, /schema/openapi.json, "),
        ({"paths": {"/broken": DOCUMENT["paths"]["/broken"]}}, {}, "no GET could be sent: GET /broken: 500"),
        ({}, {}, "no GET could be sent: the document describes none"),
        ({"paths": {"/books": DOCUMENT["paths"]["/books"]}}, {}, "nothing could be written: the document describes "),
        (DOCUMENT, {"skip": ("/books*", "POST /shelves")}, "nothing could be written: GET /broken: 500"),
    ],
)
async def test_a_service_to_which_nothing_can_be_sent_says_why(
    document: Any, others: dict[str, Any], problem: str
) -> None:
    library = Library()
    library.document = document
    with serving(library) as port:
        found = await learn(sender(**others), "new", port, ())
    assert isinstance(found, Learned)
    assert found.problem.startswith(problem)


async def test_a_load_of_closed_and_open_loops_ends_with_figures() -> None:
    library, traffic = Library(), Traffic(settings(writes=0.5))
    with serving(library) as port:
        known = await traffic.learn("new", port)
        assert (known.reads, known.problem) == (5, "")
        before = len(library.asked)
        traffic.begin({"new": port})
        while len(library.asked) < before + 40:
            await asyncio.sleep(0.005)
        seen = await traffic.end(everything=True)
        assert seen.requests >= 40
        assert len(library.asked) == before + seen.requests + seen.read_back
    assert (seen.failures, seen.losses, seen.lost_rows + seen.lost_updates + seen.lost_values) == ({}, (), 0)
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.longest_ms
    assert 0 < seen.open_longest_ms <= seen.longest_ms
    assert seen.writes > 0
