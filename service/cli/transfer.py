"""`roster import` and `roster export`: files into the directory and out of it, with no service running."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from service.errors import Fault, Invalid, RosterError

if TYPE_CHECKING:
    from service.db.database import Database
    from service.http.transfer.reports import Report
    from service.http.transfer.runs import Parameters

T = TypeVar("T")

NOUNS = ("users", "records", "departments", "employees", "department-employees")

_BY_SUFFIX = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}

_noun = click.argument("noun", metavar="NOUN", type=click.Choice(NOUNS))
_format = click.option(
    "--format", type=click.Choice(["csv", "ndjson"]), help="Needed if the name of FILE says neither."
)
_database = click.option("--database", help="The database's URL, instead of ROSTER_DATABASE_URL.")


@click.command("import")
@_noun
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--mode", type=click.Choice(["create", "upsert"]), default="create", show_default=True)
@click.option("--dry-run", is_flag=True, help="Store nothing, and report what would happen.")
@click.option("--atomic", is_flag=True, help="Store every line or, if one fails, nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document, for programs.")
@_format
@_database
@click.pass_context
def import_command(
    context: click.Context,
    /,
    noun: str,
    file: str,
    format: str | None,
    database: str | None,
    *,
    as_json: bool,
    **how: Any,
) -> None:
    """Import FILE, CSV or NDJSON, one NOUN a line; - reads standard input.

    \b
      roster import users people.csv                  new users; one who is there already is a line that fails
      roster import users people.csv --mode upsert    change those who are there, known by external_id or email
      roster import users people.csv --dry-run        tell what would happen
      generate | roster import records - --format csv

    Lines are stored a thousand at a time, and importing a file again does no harm. A line that fails is told of on
    standard error, as file:line: field: what is wrong; the exit status is 1 then.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from service.http.transfer.runs import Parameters

    name = "standard input" if file == "-" else file
    format = _format_of(file, format)
    with click.open_file(file, "rb") as source:
        try:
            report = _run(database, lambda held: _import(held, noun, name, source, format, Parameters(**how)))
        except Invalid as refused:
            _tell_refused(name, refused, as_json=as_json)
            context.exit(1)
    _tell_report(noun, name, report, as_json=as_json)
    context.exit(1 if report.failed else 0)


@click.command("export")
@_noun
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="-", help="FILE; else standard output.")
@_format
@_database
def export_command(noun: str, output: str, format: str | None, database: str | None) -> None:
    """Export all of NOUN, by id, as CSV or NDJSON: as the name of the file says, NDJSON to standard output.

    \b
      roster export users -o users.csv
      roster export records | gzip > records.ndjson.gz

    What is exported can be imported again. The file is there when all of it is: a failure leaves the one before.
    """  # noqa: D301 - click's mark for lines that stay as they are
    if output == "-":
        target = sys.stdout.buffer
        _run(database, lambda held: _export(held, noun, target, format or "ndjson"))
        return
    chosen = _format_of(output, format)
    part = Path(f"{output}.part")
    try:
        with part.open("wb") as file:
            _run(database, lambda held: _export(held, noun, file, chosen))
        part.replace(output)
    except OSError as failure:
        raise click.UsageError(f"{output} cannot be written: {failure.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def _format_of(file: str, format: str | None) -> str:
    format = format or _BY_SUFFIX.get(Path(file).suffix.lower())
    if format is None:
        named = "standard input" if file == "-" else file
        raise click.UsageError(f"Nothing says what {named} holds: give --format csv or --format ndjson.")
    return format


def _run(url: str | None, work: Callable[["Database"], Awaitable[T]]) -> T:
    """Return what the work makes of the database.

    Raises:
        RosterError: the database is not one that this code works with, or what the work raises.
    """
    from service.db.database import Database
    from service.migrate.entrypoints import aio
    from service.migrate.state import compatibility
    from service.models import Base
    from service.settings import Settings

    settings = Settings.from_env()
    settings = replace(settings, database_url=url) if url else settings

    async def run() -> T:
        database = Database(settings, Base.metadata)
        try:
            place = compatibility.place(await aio.current(settings.database_url))
            if not place.works:
                raise RosterError(f"The schema of the database is {place}: `roster db upgrade` brings it up to date.")
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def _import(
    database: "Database", noun: str, name: str, file: IO[bytes], format: str, parameters: "Parameters"
) -> "Report":
    from service.cli.progress import watching
    from service.http.transfer.files import chunks, spooled
    from service.http.transfer.runs import Job

    declared = import_module(f"service.{noun.replace('-', '_')}.transfer").IMPORT
    size = file.seek(0, os.SEEK_END) if file.seekable() else None
    with watching(name, size) as watcher:
        if file.seekable() or not parameters.atomic:
            return await Job(declared, database, lambda: chunks(file), format, parameters, watcher).run()
        async with spooled(chunks(file)) as source:
            return await Job(declared, database, source, format, parameters, watcher).run()


async def _export(database: "Database", noun: str, target: IO[bytes], format: str) -> None:
    export = import_module(f"service.{noun.replace('-', '_')}.transfer").EXPORT
    async for piece in export.pieces(database.reader, format):
        await asyncio.to_thread(target.write, piece)


def _tell_report(noun: str, name: str, report: "Report", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(report)))
        return
    _tell_errors(name, report.faults())
    if report.errors_omitted:
        click.echo(f"{name}: {report.errors_omitted:,} more errors", err=True)
    if report.skipped_columns:
        click.echo(f"Not read, because the service gives them itself: {', '.join(report.skipped_columns)}.")
    counts = ", ".join(f"{getattr(report, each):,} {each}" for each in ("created", "updated", "unchanged", "failed"))
    click.echo(f"{noun}: {report.lines:,} {'line' if report.lines == 1 else 'lines'}: {counts}.")
    if report.dry_run:
        click.echo("This was a dry run: nothing was stored.")
    elif report.atomic and report.failed:
        click.echo("Nothing was stored.")


def _tell_refused(name: str, refused: Invalid, *, as_json: bool) -> None:
    if as_json:
        errors = [{key: value for key, value in asdict(each).items() if value is not None} for each in refused.faults]
        click.echo(json.dumps({"detail": str(refused), "errors": errors}, indent=2))
        return
    _tell_errors(name, refused.faults)
    click.echo(f"Error: {refused}", err=True)


def _tell_errors(name: str, faults: "list[Fault] | tuple[Fault, ...]") -> None:
    for each in faults:
        click.echo(f"{name}:{each.line}: {f'{each.field}: ' if each.field else ''}{each.detail}", err=True)
