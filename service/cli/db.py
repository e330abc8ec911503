"""`roster db`: the schema of the database, up, down and in words."""

import time
from dataclasses import asdict

import click

from service.cli.db_alembic import alembic_command
from service.cli.db_options import as_json, as_sql, database, patience, patient, print_json, resolved, watched
from service.cli.db_phases import backfill, contract, purge
from service.cli.db_status import read_status, status, what_is_left


@click.group()
@database
def db() -> None:
    """The schema of the database: make it, change it, ask where it stands.

    \b
      roster db status            what a tired person needs first
      roster db upgrade           to the newest revision, beside the code that runs; on several machines at once
      roster db backfill          fill the rows that are there, in batches
      roster db contract          when no old code runs: put aside what only it used
      roster db purge             drop for good what was put aside
      roster db downgrade -1      one revision back, from whichever of these, with every value
      roster db revision -m "add colour to users"     after a change in service/models/

    A revision is named by its id (0008_fold_users), by its number (0008), or by steps from here (+1, -2). Alembic's own
    command works as well: `alembic upgrade head`, `alembic history`, `alembic check`.
    """  # noqa: D301 - click's mark for lines that stay as they are


@db.command()
@click.argument("revision", default="head")
@patience
@as_sql
@as_json
@database
@click.pass_obj
def upgrade(url: str | None, /, revision: str, *, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Upgrade to REVISION, by default the newest: what the code before and the code after can both live with.

    Each revision is a list of small steps, each a short transaction that gives way to requests. A run that is killed is
    simply run again. Another migrator at work is waited for, up to five minutes; if it has done everything by then, all
    is well. A database with nothing in it is made whole at once.

    With --sql the span from nothing to REVISION is printed, or that of FROM:TO.
    """
    _migrate(url, revision, down=False, as_sql=as_sql, as_json=as_json, waits=waits)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@patience
@as_sql
@as_json
@database
@click.pass_obj
def downgrade(url: str | None, /, revision: str, *, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Downgrade to REVISION: an id, a number, `-1` for one step, or `base` for nothing at all.

    A contract is taken back first, then a backfill, then the rest. Columns and tables that the older schema does not
    have are put aside with what is in them, and come back with the next upgrade; `roster db purge` drops them. What was
    purged cannot be taken back, and that is said before anything is touched. With --sql give the span FROM:TO.
    """
    _migrate(url, revision, down=True, as_sql=as_sql, as_json=as_json, waits=waits)


@db.command()
@as_json
@database
@click.pass_obj
def current(url: str | None, *, as_json: bool) -> None:
    """Print the revision the database is at."""
    found = read_status(url)
    if as_json:
        print_json({"current": found.current, "head": found.head, "up_to_date": found.up_to_date})
    else:
        click.echo(" ".join(found.current) or "none")


@db.command()
@as_json
@database
@click.pass_obj
def history(url: str | None, *, as_json: bool) -> None:
    """List the revisions, newest first; a star marks those the database has.

    The list is there without a database too, and then without stars.
    """
    from service.migrate.errors import Refused
    from service.migrate.plan.revisions import history

    try:
        heads = read_status(url).current
    except Refused:
        heads = None
    revisions = history(heads)
    if as_json:
        print_json([asdict(each) for each in revisions])
        return
    width = max(len(each.id) for each in revisions)
    for each in revisions:
        more = f" ({', '.join(each.phases[1:])})" if each.phases[1:] else ""
        click.echo(f"{'*' if each.applied else ' '} {each.id:{width}}  {each.date}  {each.title}{more}")


@db.command()
@click.option("-m", "--message", required=True, help="What changes, in a few words: add colour to users.")
@click.option("--empty", is_flag=True, help="Write an empty one, without looking at the models and the database.")
@as_json
@database
@click.pass_obj
def revision(url: str | None, message: str, *, empty: bool, as_json: bool) -> None:
    """Draft a revision of what the models have and the database has not.

    The database must be at the newest revision. Read the draft before you run it: a new name looks like a column
    dropped and another added.
    """
    from service.migrate.entrypoints import commands

    written = commands.draft(resolved(url), message, empty=empty)
    if as_json:
        print_json({"file": None if written is None else str(written)})
    else:
        click.echo(written or "The models and the database agree: there is nothing to write.")


def _migrate(
    url: str | None, revision: str, *, down: bool, as_sql: bool, as_json: bool, waits: dict[str, float]
) -> None:
    from service.migrate.entrypoints import commands

    target = resolved(url)
    if as_sql:
        click.echo(commands.script(target, revision, down=down), nl=False)
        return
    began = time.monotonic()
    with watched(as_json=as_json) as how:
        done = (commands.downgrade if down else commands.upgrade)(target, revision, **how, **patient(waits))
    seconds = round(time.monotonic() - began, 3)
    found = read_status(url)
    if as_json:
        print_json({"reverted" if down else "applied": done, "current": found.current, "seconds": seconds})
        return
    place = f"at {' and '.join(found.current)}" if found.current else "empty"
    click.echo(f"The database is {place}{f', after {seconds:.1f} s' if done else '; there was nothing to do'}.")
    for line in what_is_left(found):
        click.echo(line)


db.add_command(status)
db.add_command(backfill)
db.add_command(contract)
db.add_command(purge)
db.add_command(alembic_command)
