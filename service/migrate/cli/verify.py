"""`verify`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.db.counting import counted
from service.migrate.cli import options
from service.terminal.options import output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.plan.config import Source
    from service.migrate.proof.finding import Finding
    from service.migrate.proof.verify.verify import Verified
    from service.terminal.progress import Progress

    Empty = Callable[[], AbstractContextManager[str]]


@click.command()
@options.since
@options.databases
@options.scratch_server
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Rows in each table.")
@click.option("--seed", default=0, show_default=True, help="The seed of the generated rows.")
@output
def verify(
    since: str | None, databases: tuple[str, ...], server: str | None, rows: int, seed: int, *, output: Output
) -> None:
    """Try each revision up and down, with rows in tables.

    \b
    For each revision, on an empty database of its own:
      1. rows in every table, after its own seed_before(connection)
      2. upgrade, downgrade, upgrade, backfill, contract, and down and up again
      3. after each downgrade, all values and the catalog are as before
      4. after each phase, tables take the rows that callers write
      5. its own assert_after(connection)

    At the end the schema is compared with the models, and SQLite with PostgreSQL. The exit status is 1 if there are
    findings.
    """
    from service.migrate.entrypoints import project
    from service.migrate.plan.config import scripts
    from service.migrate.proof.revisions import chosen
    from service.terminal.progress import progress

    options.end_in_order()
    config = options.target_of(None).config
    project.read(config)
    revisions = chosen(scripts(config), since)
    results: list[Verified] = []
    findings: list[Finding] = []
    with progress() as show, ExitStack() as servers:
        # All of them first: a server that cannot be used is told before minutes of work on the other database.
        empty = {each: servers.enter_context(_server(each, server)) for each in databases}
        for result in _results(revisions, empty, rows, seed, config, show):
            results.append(result)
            findings += result.findings
            if not output.as_json:
                click.echo(_line(result))
                _print(result.findings)
                for note in result.notes:
                    click.echo(f"  note: {note}")
        heads = _heads(empty, config)
    if not output.as_json:
        _print(heads)
    findings += heads
    document = {
        "verified": [asdict(each) for each in results],
        "findings": [asdict(each) for each in findings],
        "notes": [note for each in results for note in each.notes],
    }
    names = " and ".join({"sqlite": "SQLite", "postgresql": "PostgreSQL"}[each] for each in databases)
    output.write(document, [f"{counted(len(revisions), 'revision')} on {names}: {counted(len(findings), 'finding')}."])
    if findings:
        click.get_current_context().exit(1)


def _results(
    revisions: list[str],
    empties: "Mapping[str, Empty]",
    rows: int,
    seed: int,
    config: "Source | None",
    show: "Progress",
) -> "Iterator[Verified]":
    from service.migrate.proof.verify.rows import Rows
    from service.migrate.proof.verify.verify import Verifier

    total = len(revisions) * len(empties)
    done = 0
    for database, empty in empties.items():
        verifier = Verifier(database=database, empty=empty, rows=Rows(seed=seed, count=rows), config=config)
        for result in verifier.run(revisions):
            done += 1
            show("verify", done, total, f"{result.revision} on {database}")
            yield result


def _heads(empties: "Mapping[str, Empty]", config: "Source | None") -> "list[Finding]":
    from service.migrate.proof.verify import heads

    schemas, findings = {}, []
    for database, empty in empties.items():
        with empty() as url:
            schemas[database], found = heads.made(url, database, config)
            findings += found
    sqlite, postgresql = schemas.get("sqlite"), schemas.get("postgresql")
    if sqlite is not None and postgresql is not None:
        findings += heads.compared(sqlite, postgresql)
    return findings


@contextmanager
def _server(database: str, server: str | None) -> "Iterator[Empty]":
    """What makes empty databases of this kind."""
    from service.migrate.proof import scratch

    if database == "sqlite":
        yield scratch.sqlite_file
        return
    with scratch.postgresql_server(server) as url:
        yield lambda: scratch.postgresql_database(url)


def _line(result: "Verified") -> str:
    verdict = "ok" if not result.findings else counted(len(result.findings), "finding")
    return f"{result.revision}  {result.database}  {verdict}, {counted(result.rows, 'row')}, {result.seconds:.1f} s"


def _print(findings: "tuple[Finding, ...] | list[Finding]") -> None:
    for each in findings:
        click.echo(f"  {each.revision} on {each.database}, {each.phase}: {each.what}")
