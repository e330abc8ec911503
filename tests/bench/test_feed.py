"""The time until a reader of the change feed receives what a writer changed."""

import json

import pytest

from tests.programs import run
from tests.project.files import ROOT


@pytest.mark.slow
def test_every_reader_of_the_feed_receives_every_change() -> None:
    done = run("bench.feed", "--json", "--database=sqlite", "--changes=3", cwd=ROOT, forking=True)
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)["databases"]
    assert [each["reader"] for each in figures["latencies"]] == [
        *("SSE, the writer's process", "SSE, another process"),
        *("long poll, the writer's process", "long poll, another process"),
    ]
    assert all(each["p50_ms"] <= each["p99_ms"] < 10_000 for each in figures["latencies"])
