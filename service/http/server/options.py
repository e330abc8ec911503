"""The options of uvicorn."""

from functools import partial
from typing import Any

from service.http.server.limits import Limits
from service.http.server.protocol import Protocol
from service.settings import Settings


def http_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of `uvicorn.run` for HTTP; they can be pickled for workers."""
    return {
        "http": partial(Protocol, limits=Limits.of(settings)),
        # Upgrade is ignored, as RFC 9110, 7.8 allows.
        "ws": "none",
        "server_header": False,
        # Nothing here asks where a request came from.
        "proxy_headers": False,
    }
