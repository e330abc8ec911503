"""Logs: one event per line, fields not prose; ours and the libraries' in one form."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, format: str) -> None:
    """Send every log line to stderr, as JSON or, where a person watches, as text."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[_finish, _as_text] if as_text else [_finish, _as_json],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if as_text
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(_LEVELS[level], _as_text if as_text else lambda *event: _as_json(*event).decode())


def _finish(_logger: Any, method: str, event: EventDict) -> EventDict:
    # One step instead of four: this runs for every request.
    event["level"] = method
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if "exc_info" in event:
        return structlog.processors.format_exc_info(_logger, method, event)
    return event


_as_text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
_encode = msgspec.json.Encoder(enc_hook=repr).encode


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
