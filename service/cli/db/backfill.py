"""`roster db backfill`, `contract` and `purge`: what follows an upgrade, in its time."""

import time
from collections.abc import Callable

import click

from service.cli.db.options import (
    as_json,
    as_sql,
    database,
    patient,
    print_json,
    print_sql,
    resolved,
    wait_limits,
    watched,
)
from service.errors import Misconfigured


@click.command()
@click.argument("revision", required=False)
@click.option("--pause", "wanted", flag_value="paused", help="Stop the running backfill after its batch.")
@click.option("--cancel", "wanted", flag_value="cancelled", help="Stop it, and let the next run start over.")
@click.option("--resume", "resume", is_flag=True, help="Continue a paused backfill.")
@click.option("--sql", "as_sql", is_flag=True, help="Print REVISION's SQL for PostgreSQL; run nothing.")
@wait_limits
@as_json
@database
@click.pass_obj
def backfill(
    url: str | None,
    /,
    revision: str | None,
    *,
    wanted: str | None,
    resume: bool,
    as_sql: bool,
    as_json: bool,
    **waits: float,
) -> None:
    """Fill existing rows for applied revisions, in batches.

    A batch takes about 50 ms, followed by a pause of the same length; a backfill also waits for replicas that lag. When
    every row is filled, what depends on it is done: SET NOT NULL, the switch to a new type. Run it again to continue
    where it stopped; `roster db status` shows the progress.
    """
    from service.migrate.entrypoints import commands
    from service.migrate.state.backfills import BackfillState

    target = resolved(url)
    if as_sql:
        print_sql(commands.phase_script(target, "backfill", _named(revision)), as_json=as_json)
        return
    if wanted is not None:
        told = commands.command_backfills(target, BackfillState(wanted))
        _tell(
            {wanted: told}, f"{wanted.capitalize()}: {', '.join(told) or 'nothing, for no backfill is open'}.", as_json
        )
        return
    _run(
        lambda **how: commands.backfill(target, resume=resume, **how),
        ("backfilled", "Nothing is left to fill"),
        as_json=as_json,
        waits=waits,
    )


@click.command()
@click.argument("revision", default="head")
@click.option("--undo", is_flag=True, help="Restore what the contracts of REVISION and later removed.")
@wait_limits
@as_sql
@as_json
@database
@click.pass_obj
def contract(url: str | None, /, revision: str, *, undo: bool, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Remove what only old code used, up to REVISION.

    Run it when no old code runs any more. Columns and tables go to the trash, from which --undo or a downgrade restores
    them. It is refused while a backfill is unfinished.
    """
    from service.migrate.entrypoints import commands
    from service.migrate.errors import Refused

    target = resolved(url)
    if as_sql and undo:
        raise Refused(
            "--undo is not written as a script: its steps depend on what the database's contracts have done. "
            f"Run `roster db contract {revision} --undo` against the database itself."
        )
    if as_sql:
        print_sql(commands.phase_script(target, "contract", _named(revision)), as_json=as_json)
        return
    _run(
        lambda **how: commands.contract(target, revision, undo=undo, **how),
        ("undone", "No contract is to be undone") if undo else ("contracted", "Nothing is left to contract"),
        as_json=as_json,
        waits=waits,
    )


@click.command()
@click.argument("revision", required=False)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@wait_limits
@as_sql
@as_json
@database
@click.pass_obj
def purge(url: str | None, /, revision: str | None, *, yes: bool, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Empty the trash, for good.

    Columns and tables that contracts and downgrades removed are dropped with all their values.
    """
    from service.cli.db.status import read_status
    from service.migrate.entrypoints import commands

    target = resolved(url)
    if as_sql:
        print_sql(commands.phase_script(target, "purge", _named(revision)), as_json=as_json)
        return
    kept = read_status(url).phases.trash
    if kept and not yes:
        if as_json:
            raise Misconfigured(f"--json does not ask before it drops {', '.join(kept)} for good: say --yes too.")
        click.confirm(f"Drop {', '.join(kept)} for good?", abort=True)
    _run(lambda **how: commands.purge(target, **how), ("purged", "Nothing is kept aside"), as_json=as_json, waits=waits)


def _run(command: Callable[..., list[str]], words: tuple[str, str], *, as_json: bool, waits: dict[str, float]) -> None:
    began = time.monotonic()
    with watched(as_json=as_json) as how:
        done = command(**how, **patient(waits))
    seconds = round(time.monotonic() - began, 3)
    verb, nothing = words
    sentence = f"{verb.capitalize()} {', '.join(done)}, in {seconds:.1f} s." if done else f"{nothing}."
    _tell({verb: done, "seconds": seconds}, sentence, as_json)


def _tell(document: dict[str, object], sentence: str, as_json: bool) -> None:  # noqa: FBT001 - as the option is
    if as_json:
        print_json(document)
    else:
        click.echo(sentence)


def _named(revision: str | None) -> str:
    if revision is None or revision == "head":
        raise Misconfigured("--sql prints the steps of one revision: name it, as in `roster db contract 0015 --sql`.")
    return revision
