"""`roster logins`: the login history, and its retention."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from service.cli.ages import older_than
from service.cli.database import run_on
from service.db.counting import counted
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.db.database import Database
    from service.logins.actions import Pruned
    from service.logins.schemas import Login

_OUTCOMES = ("ok", "wrong", "unknown", "inactive", "throttled")


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """Return a time as RFC 3339 or a date has it; without an offset it is UTC."""
    if text is None:
        return None
    from service.db.types import in_utc

    try:
        moment = datetime.fromisoformat(text)
        return in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        message = f"{text!r} is no time; 2026-11-28 or 2026-11-28T12:00:00Z is expected."
        raise click.BadParameter(message) from None


@click.group()
@database
def logins(_url: str | None) -> None:
    """The login history: list it, and remove what is old.

    \b
      roster logins list --outcome wrong --since 2026-11-28
      roster logins prune --older-than 400d
    """


@logins.command("list")
@click.option("--email", metavar="EMAIL", help="Attempts with this email only.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Attempts that ended like this only.")
@click.option("--address", metavar="ADDRESS", help="Attempts from this IP address only.")
@click.option("--since", callback=_moment, metavar="TIME", help="Not before this time.")
@click.option("--until", callback=_moment, metavar="TIME", help="Before this time.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The most to list.")
@output
@database
def list_command(url: str | None, /, limit: int, *, output: Output, **filters: Any) -> None:
    """List attempts to log in, the newest first."""
    import msgspec

    from service.logins.actions import list_newest
    from service.logins.schemas import AllLoginParameters

    given = {name: value for name, value in filters.items() if value is not None}
    try:
        asked = msgspec.convert(given, AllLoginParameters)
    except msgspec.ValidationError as failure:
        _, _, field = str(failure).rpartition(".")
        raise click.UsageError(f"--{field.rstrip('`')} is {given.get(field.rstrip('`'))!r}, which is none.") from None
    found = run_on(url, lambda database: list_newest(database.reader, asked, limit))
    output.write({"items": msgspec.to_builtins(found)}, _lines(found))


def _lines(found: "list[Login]") -> Iterator[str]:
    from service.terminal.escapes import escaped

    for each in found:
        time = each.time.isoformat(timespec="seconds").replace("+00:00", "Z")
        shown = f"{time}  {each.outcome:<9}  {each.address:<15}  {each.email or '-'}  {each.agent or '-'}"
        yield escaped(shown)
    if not found:
        yield "There is no such login."


@logins.command("prune")
@older_than
@output
@database
def prune_command(url: str | None, /, age: timedelta, *, output: Output) -> None:
    """Remove logins that are older than AGE.

    On PostgreSQL whole months go as partitions, at once; the rest is deleted row by row, in batches. The role of the
    database needs to own the table logins.
    """
    from service.db.audit import Audit
    from service.db.clock import now
    from service.logins.actions import prune

    before = now() - age

    async def work(database: "Database") -> "Pruned":
        return await prune(database, before, Audit(via="cli"))

    pruned = run_on(url, work)
    months = f"{counted(len(pruned.partitions), 'partition')} dropped" if pruned.partitions else "no partition dropped"
    document = {"before": before, "partitions": pruned.partitions, "rows": pruned.rows}
    output.write(document, [f"logins before {before:%Y-%m-%d}: {months}, {counted(pruned.rows, 'row')} deleted."])
