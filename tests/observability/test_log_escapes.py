"""Log lines hold nothing that steers a terminal, hides, or looks like another line, whatever the fields hold."""

import asyncio
import json
import logging
import sys
import unicodedata

import pytest
import structlog

from service.observability import logs
from service.terminal.escapes import escaped, escaped_in_json
from tests.observability.test_logs import configured

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
INVISIBLE = list("\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2028\u2029\u2060\u3164\ufe0f\ufeff\uffa0\U000e0041")
SURROGATES = ["\ud800", "\udfff"]
EVIL = [*CONTROLS, *BIDI, *INVISIBLE, *SURROGATES]
ALL = "".join(EVIL)
PLAIN = "é ß 漢字 עברית 👍 \\ \" '"


class Named:
    """Something whose representation is not a Python literal."""

    def __repr__(self) -> str:
        return ALL


def emit(how: str) -> None:
    """Log everything evil, by one of the ways on which a line is made."""
    log = structlog.get_logger()
    if how == "fields":
        log.info(ALL, path=f"/{ALL}", **{f"name{ALL}": 1}, nested={"list": [ALL], ALL: ALL}, other=Named())
    elif how == "library":
        logging.getLogger("uvicorn.error").warning("Invalid %s", ALL, stack_info=True)
    else:
        try:
            fail()
        except ValueError:
            if how == "traceback":
                log.exception("failed", request_id=ALL)
            else:
                logging.getLogger("asyncio").exception("Unhandled %s", ALL)


def fail() -> None:
    raise ValueError(f"it is {ALL}") from OSError(ALL)


def found_in(text: str) -> list[str]:
    return [each for each in EVIL if each in text and each != "\n"]


@pytest.mark.parametrize("how", ["fields", "traceback", "library", "library traceback"])
def test_text_lines_hold_no_control_in_any_field(how: str) -> None:
    with configured(format="text") as stderr:
        emit(how)
        sys.stderr.flush()
        text = stderr.getvalue().decode()
    assert "\\x1b" in text
    assert "\\u202e" in text
    assert found_in(text) == []
    # One event is one line; a traceback is indented, so that none of its lines looks like an event.
    first, *others = text.rstrip("\n").split("\n")
    assert first.startswith("20")
    assert [line for line in others if line and not line.startswith("    ")] == []


@pytest.mark.parametrize("how", ["fields", "traceback", "library", "library traceback"])
def test_json_lines_are_valid_and_hold_no_control(how: str) -> None:
    with configured(format="json") as stderr:
        emit(how)
        sys.stderr.flush()
        text = stderr.getvalue().decode()
    (line,) = text.splitlines()
    assert found_in(line) == []
    assert json.loads(line)["level"] in {"info", "error", "warning"}


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("evil", ["\x1b]0;title\x07", "\x9b31m", "\u202egnp.exe", "\ud800", "a\nb", "\x85"])
async def test_the_line_of_a_request_escapes_its_path(format: str, evil: str) -> None:
    with configured(format=format) as stderr:
        logs.requests()("id", "GET", f"/v1/{evil}/é", 200, 0.1, None)
        await asyncio.sleep(0)
        sys.stderr.flush()
        text = stderr.getvalue().decode()
    assert found_in(text) == []
    (line,) = text.splitlines()
    assert "é" in line
    if format == "json":
        found = json.loads(line)
        assert (found["status"], found["milliseconds"]) == (200, 100.0)
        path = f"/v1/{evil}/é"
        assert found["path"] == (path if evil != "\ud800" else "/v1/\\ud800/é")


def test_a_line_that_json_cannot_hold_is_written_as_far_as_it_goes() -> None:
    with configured() as stderr:
        structlog.get_logger().info("x", large=2**70, status=7, ratio=0.5, none=None, text="\ud800")
        found = json.loads(stderr.getvalue())
    assert {**found, "timestamp": ""} == {
        "event": "x",
        "level": "info",
        "timestamp": "",
        "large": str(2**70),
        "status": 7,
        "ratio": 0.5,
        "none": None,
        "text": "\\ud800",
    }


def test_what_is_plain_stays_as_it_is() -> None:
    assert escaped(PLAIN) == PLAIN
    assert escaped("a\nb\tc", keep="\n") == "a\nb\\tc"
    document = json.dumps(PLAIN, ensure_ascii=False)
    assert escaped_in_json(document) == document


def test_every_format_character_of_unicode_is_escaped() -> None:
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    evil = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in hidden]
    assert [each for each in evil if each in escaped(each)] == []
    assert [each for each in evil if not escaped_in_json(each).isascii()] == []


def test_colours_are_for_terminals_only() -> None:
    with configured(format="text") as stderr:
        structlog.get_logger().info("plain", a=1)
        sys.stderr.flush()
        assert b"\x1b" not in stderr.getvalue()
