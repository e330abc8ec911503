"""`drift`."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from difflib import unified_diff
from itertools import groupby
from textwrap import indent
from typing import TYPE_CHECKING

import click

from service.db.counting import counted
from service.migrate.cli.options import end_in_order, target_of
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.proof.drift.difference import Difference
    from service.migrate.proof.drift.drift import Drift


@click.command()
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Leave out objects such as 'index ix_* of users'; may be repeated.",
)
@click.option("--others", is_flag=True, help="Also partitions, other schemas, extensions, and objects of the database.")
@click.option(
    "--server",
    metavar="URL",
    help="A PostgreSQL server for the scratch database, instead of an ephemeral one; the role creates databases.",
)
@output
@database
def drift(url: str | None, ignore: tuple[str, ...], server: str | None, *, others: bool, output: Output) -> None:
    """Compare a database with its revisions and with the models.

    The revisions of the database are run in an empty scratch database, as far as in the database: what a pending
    backfill or contract leaves behind is no difference. Compared are tables, columns, types, defaults, constraints,
    indexes, triggers, functions, views, sequences, policies, privileges, comments and owners. The database is only
    read.

    The exit status is 0 without a difference, 1 with one, and 2 if the databases cannot be compared.
    """
    from service.db.urls import shown
    from service.migrate.entrypoints import project
    from service.migrate.proof.drift.drift import Detector
    from service.terminal.progress import progress

    end_in_order()
    target = target_of(url)
    found_url = project.locate(target.url, target.config)()
    with progress() as show:
        detector = Detector(
            project=project.read(target.config),
            config=target.config,
            server=server,
            others=others,
            show=lambda done, total, what: show("revisions", done, total, what),
        )
        found = detector.run(found_url, ignore)
    where = shown(found_url)
    document = {
        "database": where,
        "current": found.stage.heads,
        "backfill": sorted(found.stage.to_fill),
        "contract": sorted(found.stage.to_contract),
        "incomplete": found.stage.incomplete,
        "ignored": found.ignored,
        "differences": [{"where": each.where, **asdict(each)} for each in found.differences],
    }
    output.write(document, _lines(found, where))
    click.get_current_context().exit(1 if found.differences else 0)


def _lines(found: "Drift", where: str) -> Iterator[str]:
    ignored = f", {found.ignored} ignored" if found.ignored else ""
    at = " and ".join(found.stage.heads) or "no revision"
    yield f"{where} at {at}: {counted(len(found.differences), 'difference')}{ignored}."
    for revision in found.stage.incomplete:
        yield f"{revision} is incomplete: what it began is listed as a difference."
    for heading, group in groupby(_ordered(found.differences), key=_heading):
        yield ""
        yield heading
        for each in group:
            yield f"  {each.object}"
            yield from (indent(line, "    ") for line in _definitions(each))


def _heading(found: "Difference") -> str:
    return f"{found.where.capitalize()}, compared with the {found.against}:"


def _ordered(found: "Iterable[Difference]") -> "list[Difference]":
    return sorted(found, key=lambda each: (each.against == "models", each.where, each.object))


def _definitions(found: "Difference") -> Iterator[str]:
    one, other = (found.database or "").splitlines(), (found.expected or "").splitlines()
    if len(one) > 1 and len(other) > 1:
        compared = unified_diff(other, one, found.against, "database", lineterm="", n=1)
        yield from (line for line in compared if not line.startswith("@@"))
    elif found.where == "different":
        yield f"database: {found.database}"
        yield f"{found.against}: {found.expected}"
    else:
        yield from one or other
