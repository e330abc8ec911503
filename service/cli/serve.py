"""`roster serve`."""

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from service.cli.options import database_option
from service.errors import Misconfigured
from service.settings import Settings

if TYPE_CHECKING:
    from service.app import Roster


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="The number of processes.")
@database_option
def serve(host: str, port: int, workers: int, database: str | None) -> None:
    """Serve the HTTP API.

    SIGTERM and Ctrl-C let running requests finish, for ROSTER_DRAIN_SECONDS at most, and then stop the server. There is
    no authentication yet, so only addresses of this machine are bound; behind a network of your own set
    ROSTER_TRUSTED_NETWORK=true.
    """
    import uvicorn

    from service.http.server.options import http_options
    from service.observability import logs

    if database:
        os.environ["ROSTER_DATABASE_URL"] = database
    settings = Settings.from_env()
    _require_loopback(host, settings)
    logs.configure(settings.log_level, settings.log_format)
    _announce(host, port, workers, settings)
    # Once drained, uvicorn raises the signal again for whoever listened before: being told to stop is no failure.
    signal.signal(signal.SIGTERM, _end_well)
    with ExitStack() as stack:
        if workers > 1:
            # Each process counts for itself; whichever is asked adds up the files of all.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="roster-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "service.cli.serve:application",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=settings.drain_seconds,
            **http_options(settings),
        )


def _end_well(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def application() -> "Roster":
    """Return the service as one process runs it."""
    import gc

    from service.app import create_app
    from service.observability import logs

    settings = Settings.from_env()
    logs.configure(settings.log_level, settings.log_format)
    app = create_app(settings)
    # What is there now stays for good: collecting it again and again is what slow requests would wait for.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return app


def _require_loopback(host: str, settings: Settings) -> None:
    if settings.trusted_network or host == "localhost":
        return
    try:
        if ip_address(host.strip("[]")).is_loopback:
            return
    except ValueError:
        raise Misconfigured(f"--host is {host!r}; an address such as 127.0.0.1 or ::1 is expected.") from None
    raise Misconfigured(
        f"--host {host} would let anyone on the network read and change the directory: there is no authentication "
        "yet. Bind 127.0.0.1, or set ROSTER_TRUSTED_NETWORK=true if the network in front is private."
    )


def _announce(host: str, port: int, workers: int, settings: Settings) -> None:
    from service.db.urls import parse_url, shown, sqlite_file

    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    url = parse_url(settings.database_url)
    data = sqlite_file(url).absolute() if url.get_backend_name() == "sqlite" else shown(settings.database_url)
    lines = {"API": f"{base}/v1", "API docs": f"{base}/docs", "Data": data, "Processes": workers}
    for name, value in lines.items():
        click.echo(f"{name + ':':<11}{value}", err=True)
