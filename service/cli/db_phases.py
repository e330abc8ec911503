"""`roster db backfill`, `contract` and `purge`: what follows an upgrade, in its time."""

import time
from collections.abc import Callable

import click

from service.cli.db_options import as_json, as_sql, database, patience, patient, print_json, resolved, watched
from service.errors import Misconfigured


@click.command()
@click.argument("revision", required=False)
@click.option("--pause", "wanted", flag_value="paused", help="Tell the one that runs to stop after its batch.")
@click.option("--cancel", "wanted", flag_value="cancelled", help="The same, and the next run begins anew.")
@click.option("--resume", "resume", is_flag=True, help="Go on where it was paused.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL of REVISION instead of running it (PostgreSQL).")
@patience
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
    """Fill what revisions that are applied left to fill, in small batches beside the traffic.

    A batch takes about 50 ms and is followed by as long a rest; a replica that falls behind is waited for. When no row
    is left, what needed them all is done: a column that may not be NULL any more, a type that takes over. Run again, it
    goes on where it stopped; `roster db status` shows how far it is.
    """
    from service.migrate.entrypoints import commands
    from service.migrate.state.backfills import FillState

    target = resolved(url)
    if as_sql:
        click.echo(commands.phase_script(target, "backfill", _named(revision)), nl=False)
        return
    if wanted is not None:
        told = commands.command_fills(target, FillState(wanted))
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
@click.option("--undo", is_flag=True, help="Bring back what the contracts of REVISION and later took away.")
@patience
@as_sql
@as_json
@database
@click.pass_obj
def contract(url: str | None, /, revision: str, *, undo: bool, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Put aside what only code before the applied revisions used, up to REVISION, when none of it runs any more.

    Nothing is dropped: columns and tables get names that no code knows, and come back with `--undo` or a downgrade. It
    is refused while a backfill is not over.
    """
    from service.migrate.entrypoints import commands

    target = resolved(url)
    if as_sql:
        click.echo(commands.phase_script(target, "contract", _named(revision)), nl=False)
        return
    _run(
        lambda **how: commands.contract(target, revision, undo=undo, **how),
        ("undone", "No contract is to be undone") if undo else ("contracted", "Nothing is left to contract"),
        as_json=as_json,
        waits=waits,
    )


@click.command()
@click.argument("revision", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@patience
@as_sql
@as_json
@database
@click.pass_obj
def purge(url: str | None, /, revision: str | None, *, yes: bool, as_sql: bool, as_json: bool, **waits: float) -> None:
    """Drop for good what contracts and downgrades put aside. There is no way back from here."""
    from service.cli.db_status import read_status
    from service.migrate.entrypoints import commands

    target = resolved(url)
    if as_sql:
        click.echo(commands.phase_script(target, "purge", _named(revision)), nl=False)
        return
    kept = read_status(url).phases.kept_aside
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
