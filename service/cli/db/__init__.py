"""`roster db`: the schema of the database, up, down and in words."""

import time
from dataclasses import asdict

import click

from service.cli.db.alembic import alembic_command
from service.cli.db.backfill import backfill, contract, purge
from service.cli.db.backup import backup, restore
from service.cli.db.options import (
    as_json,
    as_sql,
    database,
    no_sql,
    patient,
    print_json,
    print_sql,
    resolved,
    wait_limits,
    watched,
)
from service.cli.db.status import read_status, status, what_is_left


@click.group()
@database
def db() -> None:
    """The schema of the database: upgrade, downgrade, status.

    \b
      roster db status           revision, pending phases, drift
      roster db upgrade          expand: safe beside old and new code
      roster db backfill         fill existing rows, in batches
      roster db contract         remove what only old code used
      roster db purge            empty the trash
      roster db downgrade -1     one revision back, with every value
      roster db revision -m "add colour to users"    draft a revision
      roster db backup FILE      copy all of it while it is in use
      roster db restore FILE     make the database what a backup holds

    A revision is named by its id (0008_fold_users), its number (0008), or steps from the current one (+1, -2).
    Alembic's own commands work too: `alembic upgrade head`, `alembic history`, `alembic check`.
    """  # noqa: D301 - click's mark for lines that stay as they are


@db.command()
@click.argument("revision", default="head")
@wait_limits
@as_sql
@as_json
@database
@click.pass_obj
def upgrade(url: str | None, /, revision: str, *, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Upgrade to REVISION, by default the newest.

    Only the expand phase of each revision runs: old and new code both work with the result. Each step is a short
    transaction that gives up its lock request in favour of running requests. A killed upgrade is run again. Another
    migrator is waited for, for up to five minutes.

    With --sql, REVISION may be a span FROM:TO; otherwise the span begins at nothing.
    """
    _migrate(url, revision, down=False, as_sql=as_sql, as_json=as_json, waits=waits)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@wait_limits
@no_sql
@as_json
@database
@click.pass_obj
def downgrade(url: str | None, /, revision: str, *, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Downgrade to REVISION, with every value.

    REVISION is an id, a number, -1 for one step, or base for an empty database.

    A contract is undone first, then a backfill, then the expand phase. Columns and tables that the older schema does
    not have go to the trash with their values and come back with the next upgrade; `roster db purge` empties it. What
    was purged cannot come back: the downgrade is refused before anything changes.
    """
    _migrate(url, revision, down=True, as_sql=as_sql, as_json=as_json, waits=waits)


@db.command()
@as_json
@database
@click.pass_obj
def current(url: str | None, *, as_json: bool) -> None:
    """Print the database's revision."""
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
    """List the revisions, newest first, with a star at applied ones.

    Without a database the list has no stars.
    """
    import asyncio

    from service.migrate.entrypoints import status
    from service.migrate.errors import Refused
    from service.migrate.plan.revisions import history
    from service.schema_range import SUPPORTED

    try:
        applied = asyncio.run(status.standing(resolved(url), SUPPORTED)).applied
    except Refused:
        applied = None
    revisions = history(applied)
    if as_json:
        print_json([asdict(each) for each in revisions])
        return
    width = max((len(each.id) for each in revisions), default=0)
    for each in revisions:
        more = f" ({', '.join(each.phases[1:])})" if each.phases[1:] else ""
        click.echo(f"{'*' if each.applied else ' '} {each.id:{width}}  {each.date}  {each.title}{more}")


@db.command()
@click.option("-m", "--message", required=True, help="What changes: add colour to users.")
@click.option("--empty", is_flag=True, help="Write an empty revision; no database is needed.")
@as_json
@database
@click.pass_obj
def revision(url: str | None, message: str, *, empty: bool, as_json: bool) -> None:
    """Draft a revision from what the models have changed.

    The database must be at the newest revision. Read the draft before you run it: autogenerate writes a renamed column
    as one dropped and one added.
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
    from service.migrate.plan import offline

    target = resolved(url)
    if as_sql and down:
        raise offline.no_downgrade()
    if as_sql:
        print_sql(commands.script(target, revision), as_json=as_json)
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


db.add_command(backup)
db.add_command(restore)
db.add_command(status)
db.add_command(backfill)
db.add_command(contract)
db.add_command(purge)
db.add_command(alembic_command)
