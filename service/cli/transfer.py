"""`roster import` and `roster export`; no running service is needed."""

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from textwrap import fill
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from service.cli.database import run_on
from service.db.counting import counted
from service.errors import Fault, Invalid
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.db.database import Database
    from service.http.transfer.job import Options, Watcher
    from service.http.transfer.reports import Report
    from service.terminal.progress import Progress

T = TypeVar("T")

NOUNS = (
    "users",
    "records",
    "departments",
    "employees",
    "department-employees",
)

_BY_SUFFIX = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}

# \b on a line of its own: click does not rewrap the paragraph.
_ONE_OF = "\b\n" + fill(f"NOUN is one of: {', '.join(NOUNS)}.", 74, break_on_hyphens=False)
_noun = click.argument("noun", metavar="NOUN", type=click.Choice(NOUNS))
_format = click.option(
    "--format", type=click.Choice(["csv", "ndjson"]), help="The format, where the name of FILE does not end in it."
)


@click.command("import", epilog=_ONE_OF)
@_noun
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--mode",
    type=click.Choice(["create", "upsert"]),
    default="create",
    show_default=True,
    help="Whether a line may change an existing NOUN.",
)
@click.option("--dry-run", is_flag=True, help="Store nothing; report what would happen.")
@click.option("--atomic", is_flag=True, help="Store every line, or nothing if one fails.")
@click.option(
    "--max-errors",
    type=click.IntRange(1, 1_000_000_000),
    default=10_000,
    show_default=True,
    help="Stop when this many lines have failed.",
)
@output
@_format
@database
def import_command(url: str | None, /, noun: str, file: str, format: str | None, *, output: Output, **how: Any) -> None:
    """Import FILE, CSV or NDJSON with one NOUN a line.

    FILE may be -, standard input.

    \b
      roster import users people.csv                  create each line's user
      roster import users people.csv --mode upsert    create or update users
      roster import users people.csv --dry-run        store nothing
      generate | roster import records - --format csv

    Some thousand lines are one transaction, and importing a file again does no harm. With --mode upsert a line updates
    the NOUN that has its external_id or, for users, its email. An error is printed to standard error as
    file:line: field: what is wrong; the exit status is then 1.
    """
    from service.http.transfer.job import Options

    name = "standard input" if file == "-" else file
    format = _format_of(file, format)
    with click.open_file(file, "rb") as source:
        try:
            report = run_on(url, lambda database: _import(database, noun, name, source, format, Options(**how)))
        except Invalid as refused:
            _write_refused(name, refused, output)
            click.get_current_context().exit(1)
    _write_report(noun, name, report, output)
    click.get_current_context().exit(1 if report.failed else 0)


@click.command("export", epilog=_ONE_OF)
@_noun
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False),
    default="-",
    help="The file to write, instead of standard output.",
)
@_format
@database
def export_command(url: str | None, noun: str, file: str, format: str | None) -> None:
    """Export all of NOUN, ordered by id, as CSV or NDJSON.

    \b
      roster export users -o users.csv
      roster export records | gzip > records.ndjson.gz

    The name of the file decides the format; standard output gets NDJSON. An export can be imported again. FILE is
    replaced when the export is complete: a failure leaves the previous one.
    """
    if file == "-":
        target = sys.stdout.buffer
        run_on(url, lambda database: _export(database, noun, target, format or "ndjson"))
        return
    chosen = _format_of(file, format)
    part = Path(f"{file}.part")
    try:
        with part.open("wb") as written:
            run_on(url, lambda database: _export(database, noun, written, chosen))
        part.replace(file)
    except OSError as failure:
        raise click.UsageError(f"{file} cannot be written: {failure.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def _format_of(file: str, format: str | None) -> str:
    format = format or _BY_SUFFIX.get(Path(file).suffix.lower())
    if format is None:
        named = "standard input" if file == "-" else file
        raise click.UsageError(f"Nothing says what {named} holds: give --format csv or --format ndjson.")
    return format


async def _import(
    database: "Database", noun: str, name: str, file: IO[bytes], format: str, parameters: "Options"
) -> "Report":
    from service.http.transfer.job import Job
    from service.http.transfer.spool import Spool, chunks
    from service.settings import Settings
    from service.terminal.progress import progress

    declared = import_module(f"service.{noun.replace('-', '_')}.transfer").IMPORT
    size = file.seek(0, os.SEEK_END) if file.seekable() else None
    spool = Spool(Settings.from_env().spool_directory)
    spool.check()
    with progress() as show:
        job = Job(declared, database, format, parameters, watcher_of(name, size, show), spool=spool)
        if file.seekable() or not parameters.atomic or parameters.dry_run:
            return await job.run(lambda: chunks(file))
        async with spool.hold(chunks(file)) as source:
            return await job.run(source)


async def _export(database: "Database", noun: str, target: IO[bytes], format: str) -> None:
    import asyncio

    export = import_module(f"service.{noun.replace('-', '_')}.transfer").EXPORT
    async for piece in export.pieces(database.reader, format):
        await asyncio.to_thread(target.write, piece)


def watcher_of(name: str, size: int | None, show: "Progress") -> "Watcher":
    """Return a watcher that shows the progress of an import of `size` bytes, a task for each step."""
    from service.http.transfer.job import Watcher

    class Shown(Watcher):
        def read(self, step: str, position: int, report: "Report") -> None:
            failed = f", {report.failed:,} failed" if report.failed else ""
            show(f"{step} {name}", position, size, f"{counted(report.lines, 'line')}{failed}")

    return Shown()


def _write_report(noun: str, name: str, report: "Report", output: Output) -> None:
    import msgspec

    if not output.as_json:
        _write_errors(name, report.faults())
        if report.errors_omitted:
            click.echo(f"{name}: {counted(report.errors_omitted, 'more line')} failed", err=True)
    output.write(msgspec.to_builtins(report), _lines(noun, report))


def _lines(noun: str, report: "Report") -> Iterator[str]:
    if report.skipped_columns:
        yield f"Not read, because the service gives them itself: {', '.join(report.skipped_columns)}."
    counts = ", ".join(f"{getattr(report, each):,} {each}" for each in ("created", "updated", "unchanged", "failed"))
    yield f"{noun}: {counted(report.lines, 'line')}: {counts}."
    if report.stopped_at_line is not None:
        limit = f"{counted(report.failed, 'failed line')} reached --max-errors"
        yield f"Stopped at line {report.stopped_at_line:,}: {limit}."
    if report.dry_run:
        yield "This was a dry run: nothing was stored."
    elif report.atomic and report.failed:
        yield "Nothing was stored."


def _write_refused(name: str, refused: Invalid, output: Output) -> None:
    errors = [{key: value for key, value in asdict(each).items() if value is not None} for each in refused.faults]
    output.write({"detail": str(refused), "errors": errors}, [])
    if not output.as_json:
        _write_errors(name, refused.faults)
        click.echo(f"Error: {refused}", err=True)


def _write_errors(name: str, faults: "list[Fault] | tuple[Fault, ...]") -> None:
    for each in faults:
        click.echo(f"{name}:{each.line}: {f'{each.field}: ' if each.field else ''}{each.detail}", err=True)
