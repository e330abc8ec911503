"""The line of a request, which is written past structlog where it may be."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
import structlog
from structlog.testing import capture_logs

from service.observability import logs

REQUEST = ("id-1", "GET", "/v1/users/é", 200, 0.0123456, None)


@contextmanager
def configured(level: str = "info", format: str = "json") -> Iterator[io.BytesIO]:
    """What is written to standard error, by logs so configured; the configuration is put back."""
    written = io.BytesIO()
    root = logging.getLogger()
    before = [*root.handlers], root.level, structlog.get_config()
    with pytest.MonkeyPatch.context() as patch, io.TextIOWrapper(written, encoding="utf-8") as stderr:
        patch.setattr(sys, "stderr", stderr)
        logs.configure(level, format)
        yield written
        root.handlers[:], root.level, configuration = before
        structlog.configure(**configuration)


def lines(stderr: io.BytesIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr.getvalue().splitlines()]


async def test_the_line_of_a_request_is_the_one_that_structlog_writes() -> None:
    with configured() as stderr:
        logs.requests()(*REQUEST)
        await asyncio.sleep(0)
        structlog.get_logger().info(
            "request", request_id="id-1", method="GET", path="/v1/users/é", status=200, milliseconds=12.35
        )
        ours, theirs = lines(stderr)
    assert list(ours) == list(theirs)
    moments = [datetime.fromisoformat(str(line.pop("timestamp"))) for line in (ours, theirs)]
    assert ours == theirs
    assert (moments[1] - moments[0]).total_seconds() < 5


async def test_requests_that_end_in_one_turn_are_written_in_order() -> None:
    with configured() as stderr:
        note = logs.requests()
        for status in (200, 201, 404):
            note("id", "GET", "/", status, 0, None)
        assert lines(stderr) == []
        await asyncio.sleep(0)
        note("id", "GET", "/", 500, 0, None)
        await asyncio.sleep(0)
        assert [line["status"] for line in lines(stderr)] == [200, 201, 404, 500]


async def test_a_write_that_fails_loses_its_lines_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(type(context["exception"])))
    with configured() as stderr:
        note = logs.requests()
        sys.stderr.close()
        note("id", "GET", "/", 200, 0, None)
        await asyncio.sleep(0)
        assert (failures, stderr.closed) == ([ValueError], True)
        note("id", "GET", "/", 201, 0, None)
        await asyncio.sleep(0)
        assert failures == [ValueError, ValueError]
    loop.set_exception_handler(None)


@pytest.mark.parametrize(("level", "format"), [("info", "text"), ("warning", "json")])
async def test_where_it_may_not_be_structlog_writes_it(level: str, format: str) -> None:
    with configured(level, format) as stderr:
        logs.requests()(*REQUEST)
        sys.stderr.flush()
        assert ("/v1/users/é".encode() in stderr.getvalue()) == (format == "text")


async def test_without_a_configuration_structlog_writes_it() -> None:
    note = logs.requests()
    with capture_logs() as captured:
        note(*REQUEST)
    assert [each["event"] for each in captured] == ["request"]
