"""Logs: one event per line, fields not prose; ours and the libraries' in one form."""

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from textwrap import indent
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict

from service.terminal.escapes import escaped, escaped_in_json

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, format: str) -> None:
    """Send every log line to stderr, as JSON or, where a person watches, as text."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    text = _text_renderer()
    structlog.configure(
        processors=[_finish, text] if as_text else [_finish, _as_json],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if as_text
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(_LEVELS[level], text if as_text else lambda *event: _as_json(*event).decode())


def requests() -> Callable[[str, str, str, int, float, int | None], None]:
    """Return what writes the line of one request: its id, method, path, status, seconds and the user's id.

    As JSON the line is the one that structlog would write, by a quarter of the work: this runs for every request.
    """
    log = structlog.get_logger()
    config = structlog.get_config()
    if config["processors"] != [_finish, _as_json] or not log.is_enabled_for(logging.INFO):
        return partial(_note_by_structlog, log)
    write = config["logger_factory"]().msg
    waiting: list[bytes] = []

    def write_waiting() -> None:
        lines = b"\n".join(waiting)
        waiting.clear()
        write(lines)

    def note(request_id: str, method: str, path: str, status: int, seconds: float, actor: int | None = None) -> None:
        if not waiting:
            # The requests that end in one turn of the loop are written together, by one system call.
            asyncio.get_running_loop().call_soon(write_waiting)
        line = _Line(
            request_id=request_id,
            method=method,
            path=path,
            status=status,
            milliseconds=round(seconds * 1000, 2),
            actor=actor,
            event="request",
            level="info",
            timestamp=datetime.now(UTC),
        )
        waiting.append(_encode(line))

    return note


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    request_id: str
    method: str
    path: str
    status: int
    milliseconds: float
    actor: int | None = None
    event: str
    level: str
    timestamp: datetime


def _note_by_structlog(
    log: Any, request_id: str, method: str, path: str, status: int, seconds: float, actor: int | None = None
) -> None:
    fields: dict[str, Any] = {"milliseconds": round(seconds * 1000, 2)}
    if actor is not None:
        fields["actor"] = actor
    log.info("request", request_id=request_id, method=method, path=path, status=status, **fields)


def _finish(_logger: Any, method: str, event: EventDict) -> EventDict:
    # One step instead of four: this runs for every request.
    event["level"] = method
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if "exc_info" in event:
        return structlog.processors.format_exc_info(_logger, method, event)
    return event


def _text_renderer() -> Callable[[Any, str, EventDict], str]:
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return lambda logger, method, event: str(render(logger, method, _readable(event)))


def _readable(event: EventDict) -> EventDict:
    """Return the event with nothing in it that could move a cursor, hide, or look like another line."""
    return {escaped(str(name)): _readable_value(name, value) for name, value in event.items()}


def _readable_value(name: str, value: Any) -> Any:
    if name in _MULTILINE and isinstance(value, str):
        # Indented: no line of a traceback can be taken for an event, whatever stands in the message of its error.
        return indent(escaped(value, keep="\n"), "    ")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return escaped(value if isinstance(value, str) else repr(value))


_MULTILINE = ("exception", "stack")
_encode_strictly = msgspec.json.Encoder(enc_hook=repr).encode


def _encode(event: Any) -> bytes:
    try:
        line = _encode_strictly(event)
    except Exception:  # noqa: BLE001 - a lone surrogate, a number without bounds: a line is written whatever it holds
        line = _encode_strictly(_encodable(msgspec.to_builtins(event, enc_hook=repr)))
    if line.isascii() and b"\x7f" not in line:
        return line
    return escaped_in_json(line.decode()).encode()


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(str(name)): _encodable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    fits = not isinstance(value, int) or -(2**63) <= value < 2**63
    return value if fits else str(value)


def _as_json(_logger: Any, _method: str, event: EventDict) -> bytes:
    return _encode(event)


def _adopt_libraries(level: int, render: Any) -> None:
    """Give what uvicorn, SQLAlchemy and Alembic log the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_finish, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn").setLevel(level)
    # Every request is logged at the edge, with its id.
    logging.getLogger("uvicorn.access").disabled = True
