"""`roster db`: the schema of the database, up, down and in words."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from service.migrate.status import Status

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
_as_sql = click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead of running it (PostgreSQL).")


@click.group()
@click.option("--url", help="The database; else ROSTER_MIGRATE_URL, ROSTER_DATABASE_URL or DATABASE_URL say.")
@click.pass_context
def db(context: click.Context, url: str | None) -> None:
    """The schema of the database: make it, change it, ask where it stands.

    \b
      roster db status            what a tired person needs first
      roster db upgrade           to the newest revision; safe to run on several machines at once
      roster db downgrade -1      one revision back, with every value that the older schema can hold
      roster db revision -m "add colour to users"     after a change in service/models/

    A revision is named by its id (0008_fold_users), by its number (0008), or by steps from here (+1, -2). Alembic's own
    command works as well: `alembic upgrade head`, `alembic history`, `alembic check`.
    """  # noqa: D301 - click's mark for lines that stay as they are
    context.obj = url


@db.command()
@click.argument("revision", default="head")
@_as_sql
@_as_json
@click.pass_obj
def upgrade(url: str | None, revision: str, *, as_sql: bool, as_json: bool) -> None:
    """Upgrade to REVISION, by default the newest.

    Another migrator at work is waited for, up to five minutes; if it has done everything by then, all is well. Each
    revision is one transaction: one that fails leaves nothing of itself behind, and those before it stay.

    With --sql the span from nothing to REVISION is printed, or that of FROM:TO.
    """
    _migrate(url, revision, down=False, as_sql=as_sql, as_json=as_json)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@_as_sql
@_as_json
@click.pass_obj
def downgrade(url: str | None, revision: str, *, as_sql: bool, as_json: bool) -> None:
    """Downgrade to REVISION: an id, a number, `-1` for one step, or `base` for nothing at all.

    Columns and tables that the older schema does not have go, and what was in them. With --sql give the span FROM:TO.
    """
    _migrate(url, revision, down=True, as_sql=as_sql, as_json=as_json)


@db.command()
@_as_json
@click.pass_obj
def current(url: str | None, *, as_json: bool) -> None:
    """Print the revision the database is at."""
    found = _status(url)
    if as_json:
        _print({"current": found.current, "head": found.head, "up_to_date": found.up_to_date})
    else:
        click.echo(" ".join(found.current) or "none")


@db.command()
@_as_json
@click.pass_obj
def history(url: str | None, *, as_json: bool) -> None:
    """List the revisions, newest first; a star marks those the database has.

    The list is there without a database too, and then without stars.
    """
    from service.migrate import status
    from service.migrate.errors import Refused

    try:
        heads = _status(url).current
    except Refused:
        heads = None
    revisions = status.history(heads)
    if as_json:
        _print([asdict(each) for each in revisions])
        return
    width = max(len(each.id) for each in revisions)
    for each in revisions:
        click.echo(f"{'*' if each.applied else ' '} {each.id:{width}}  {each.date}  {each.title}")


@db.command()
@_as_json
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Tell where the database stands; the exit status is 0 when it is at the newest revision, else 1."""
    found = _status(context.obj)
    if as_json:
        _print(asdict(found) | {"works": found.place.works, "up_to_date": found.up_to_date})
    else:
        click.echo("\n".join(_lines(found)))
    context.exit(0 if found.up_to_date else 1)


@db.command()
@click.option("-m", "--message", required=True, help="What changes, in a few words: add colour to users.")
@click.option("--empty", is_flag=True, help="Write an empty one, without looking at the models and the database.")
@_as_json
@click.pass_obj
def revision(url: str | None, message: str, *, empty: bool, as_json: bool) -> None:
    """Draft a revision of what the models have and the database has not.

    The database must be at the newest revision. Read the draft before you run it: a new name looks like a column
    dropped and another added.
    """
    from service.migrate import commands

    written = commands.draft(_resolved(url), message, empty=empty)
    if as_json:
        _print({"file": None if written is None else str(written)})
    else:
        click.echo(written or "The models and the database agree: there is nothing to write.")


def _migrate(url: str | None, revision: str, *, down: bool, as_sql: bool, as_json: bool) -> None:
    from service.migrate import commands

    target = _resolved(url)
    if as_sql:
        click.echo(commands.script(target, revision, down=down), nl=False)
        return
    began = time.monotonic()
    tell = _tell_nobody if as_json else click.echo
    done = (commands.downgrade if down else commands.upgrade)(target, revision, report=tell)
    seconds = round(time.monotonic() - began, 3)
    now = _status(url).current
    if as_json:
        _print({"reverted" if down else "applied": done, "current": now, "seconds": seconds})
    else:
        place = f"at {' and '.join(now)}" if now else "empty"
        click.echo(f"The database is {place}{f', after {seconds:.1f} s' if done else '; there was nothing to do'}.")


def _status(url: str | None) -> "Status":
    import asyncio

    from service.migrate import status

    return asyncio.run(status.status(_resolved(url)))


def _resolved(url: str | None) -> str:
    from service.migrate.environment import direct_url
    from service.settings import Settings

    return url or direct_url(Settings.from_env())


def _lines(found: "Status") -> list[str]:
    lines = [f"{found.database} is at {' and '.join(found.current) or 'no revision yet'}: {_EXPLAINED[found.place]}."]
    if found.pending:
        lines += [f"{len(found.pending)} to apply with `roster db upgrade`:", *(f"  {each}" for each in found.pending)]
    if found.migrator:
        lines.append(f"A migrator is at work: {found.migrator}.")
    return lines


_EXPLAINED = {
    "empty": "this code has no tables to work with",
    "behind": "this code needs newer tables",
    "inside": "this code works with it",
    "ahead": "newer code upgraded it, and this code is expected to work with it",
    "split": "two revisions, where one is expected",
}


def _tell_nobody(_sentence: str) -> None:
    pass


def _print(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, default=str))
