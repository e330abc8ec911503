"""`roster serve`."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from service.settings import Settings
from service.terminal.options import database
from service.terminal.output import Output

if TYPE_CHECKING:
    import socket


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="The number of processes.")
@click.option("--upgrade", is_flag=True, help="Upgrade the schema and backfill first.")
@database
def serve(url: str | None, *, host: str, port: int, workers: int, upgrade: bool) -> None:
    """Serve the HTTP API.

    SIGTERM and Ctrl-C let running requests finish, for ROSTER_DRAIN_SECONDS at most, and then stop the server; a second
    signal ends it at once. With several workers SIGHUP replaces them one by one. Until an active user has the role
    admin, or ROSTER_BOOTSTRAP_TOKEN is set, requests need no token and only addresses of this machine are bound.
    """
    from service.cli.serving.file import check_file

    signal.signal(signal.SIGTERM, _end_well)
    if url:
        os.environ["ROSTER_DATABASE_URL"] = url
    settings = Settings.from_env()
    check_file(settings)
    # Imported after the checks that need little, so that their refusals are quick.
    from service.cli.serving.access import access_lines, check_host, has_admin
    from service.cli.serving.database import warnings
    from service.cli.serving.sockets import listen
    from service.http.auth.setup_code import SetupCode
    from service.http.transfer.spool import Spool
    from service.observability import logs
    from service.terminal.escapes import escaped

    Spool(settings.spool_directory).check()
    logs.configure(settings.log_level, settings.log_format)
    # An upgrade makes no administrator.
    admin = has_admin(settings)
    check_host(host, settings, admin=admin)
    sockets = listen(host.strip("[]"), port)
    if upgrade:
        _upgrade()
    for line in warnings(settings):
        click.echo(f"Warning:   {escaped(line)}", err=True)
    code, setup = SetupCode.new() if admin is False else ("", None)
    access = partial(access_lines, settings=settings, admin=admin, code=code)
    started = partial(_announce, host, sockets, workers, settings, access)
    # Imported last: a refusal, and the supervisor, do without the application.
    if workers == 1:
        from service.cli.serving.server import serve_alone

        serve_alone(settings, setup, sockets, started)
    else:
        from service.cli.serving.supervisor import supervise

        sys.exit(supervise(settings, setup, sockets, workers, started))


def _end_well(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Until the server installs its handlers, SIGTERM exits with status 0.
    sys.exit(0)


def _upgrade() -> None:
    from service.cli.db.options import resolved
    from service.migrate.cli.running import reported
    from service.migrate.entrypoints import commands

    url = resolved(None)
    with reported(Output()) as how:
        commands.upgrade(url, **how)
        commands.backfill(url, **how)


def _announce(
    host: str,
    sockets: "list[socket.socket]",
    workers: int,
    settings: Settings,
    access: Callable[[str], dict[str, str]],
) -> None:
    from service.cli.serving.sockets import port_of
    from service.db.urls import parse_url, shown, sqlite_file

    # The wildcard address includes loopback, which a browser on this machine can open.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104 - it is compared
    base = f"http://{f'[{name}]' if ':' in name else name}:{port_of(sockets)}"
    url = parse_url(settings.database_url)
    data = sqlite_file(url).absolute() if url.get_backend_name() == "sqlite" else shown(settings.database_url)
    lines: dict[str, object] = {"API": f"{base}/v1", "API docs": f"{base}/docs", "Data": data, "Processes": workers}
    lines |= access(base)
    for title, value in lines.items():
        click.echo(f"{title + ':':<11}{value}", err=True)
