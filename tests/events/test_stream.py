"""The feed as Server-Sent Events, of a server over a socket."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import loopback
from tests.cli.servers import serving

FEED = "/v1/events/feed"
STREAM = {"accept": "text/event-stream"}


def events(lines: Iterator[str], count: int) -> list[tuple[str, Any]]:
    """The next events of a stream, each with its id."""
    found: list[tuple[str, Any]] = []
    id = ""
    while len(found) < count:
        line = next(lines)
        if line.startswith("id: "):
            id = line.removeprefix("id: ")
        elif line.startswith("data: "):
            found.append((id, json.loads(line.removeprefix("data: "))))
    return found


@pytest.fixture
def made(fresh_url: str, tmp_path: Path) -> Iterator[Any]:
    with serving(fresh_url, tmp_path / "log") as (base, process), loopback.Client(base_url=base, timeout=20) as client:

        def make(name: str) -> None:
            assert client.post("/v1/departments", json={"name": name}).status_code == 201

        yield client, process, make


@pytest.mark.slow
def test_streams_events_from_the_last_one_and_ends_with_the_server(made: Any) -> None:
    client, process, make = made
    head = client.head(FEED, headers=STREAM)
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/event-stream", b"")
    wrong = client.get(FEED, headers=STREAM | {"last-event-id": "x"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (400, "application/problem+json")
    make("One")
    with client.stream("GET", FEED, headers=STREAM) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        ((first, event),) = events(lines, 1)
        assert event["changes"] == {"name": [None, "One"]}
        make("Two")
        ((second, event),) = events(lines, 1)
        assert event["changes"] == {"name": [None, "Two"]}
    page = client.get(FEED, params={"after": first}).json()
    assert (page["items"], page["next_cursor"]) == ([event], second)
    with client.stream("GET", FEED, headers=STREAM | {"last-event-id": first}) as stream:
        lines = stream.iter_lines()
        assert events(lines, 1) == [(second, event)]
        process.send_signal(signal.SIGTERM)
        # Without the last chunk httpx would raise: the stream has ended, and was not cut off.
        assert not [line for line in lines if line.startswith("data")]
    assert process.wait(10) == 0
