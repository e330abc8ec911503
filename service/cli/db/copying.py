"""What `roster db backup` and `roster db restore` share."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from service.terminal.output import Output

if TYPE_CHECKING:
    from sqlalchemy import URL

    from service.db.backup.files import Copied, Watch
    from service.db.backup.server import Server

_MEGABYTE = 1_000_000

force = click.option("--force", is_flag=True, help="Replace what is there.")


def server_of(target: "URL") -> "Server":
    import asyncio

    from service.db.backup import server
    from service.migrate.errors import refusing

    with refusing(target):
        return asyncio.run(server.ask(target))


@contextmanager
def watched(name: str, output: Output) -> "Iterator[Watch]":
    """Give the function that shows how many bytes are copied; it shows nothing with --json."""
    from service.terminal.progress import progress

    if output.as_json:
        yield lambda _done, _total: None
        return
    with progress() as show:

        def watch(done: int, total: int | None) -> None:
            of = f" of {total / _MEGABYTE:,.0f}" if total else ""
            show(name, done, total, f"{done / _MEGABYTE:,.0f}{of} MB")

        yield watch


def write_copied(
    output: Output, sentence: str, copied: "Copied", began: float, lines: Iterable[str] = (), **more: str
) -> None:
    """Print what was copied since `began`, a time of the monotonic clock; `more` are fields of the document."""
    seconds = round(time.monotonic() - began, 3)
    document = more | {"current": copied.revisions, "bytes": copied.bytes, "seconds": seconds}
    size = f"{copied.bytes / _MEGABYTE:,.1f} MB"
    output.write(document, [f"{sentence}: {size}, at {' and '.join(copied.revisions)}, after {seconds:.1f} s.", *lines])
