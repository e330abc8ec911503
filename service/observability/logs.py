"""Logs: one event per line, fields not prose; ours and the libraries' in one form."""

import logging
import sys
from typing import Any

import msgspec
import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, format: str) -> None:
    """Send every log line to stderr, as JSON or, where a person watches, as text."""
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    if as_text:
        renderer: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        factory: Any = structlog.PrintLoggerFactory(sys.stderr)
        foreign = renderer
    else:
        renderer = [structlog.processors.format_exc_info, _as_json]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
        foreign = [structlog.processors.format_exc_info, lambda *event: _as_json(*event).decode()]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(_LEVELS[level], shared, foreign)


def _adopt_libraries(level: int, shared: list[Any], renderer: list[Any]) -> None:
    """Give what uvicorn, SQLAlchemy and Alembic log the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn").setLevel(level)
    # Every request is logged at the edge, with its id.
    logging.getLogger("uvicorn.access").disabled = True


_encoder = msgspec.json.Encoder(enc_hook=repr)


def _as_json(_logger: Any, _method: str, event: Any) -> bytes:
    return _encoder.encode(event)
