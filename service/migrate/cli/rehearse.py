"""`rehearse`."""

import re
from pathlib import Path
from typing import Any

import click

from service.migrate.cli.options import databases, scratch_server, since, target_of
from service.terminal.options import output
from service.terminal.output import Output


class Duration(click.ParamType[float]):
    """Milliseconds, written as 60ms or 0.5s."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: 60ms or 0.5s is expected.", param, ctx)
        return float(found[1]) * (1000 if found[2] == "s" else 1)


@click.command()
@since
@click.option("--previous", metavar="REF", help="The commit of the previous version; default: the merge base.")
@databases
@scratch_server
@click.option(
    "--rows",
    "sizes",
    multiple=True,
    default=(1000,),
    show_default=True,
    type=click.IntRange(1),
    help="Rows in each table; repeated, the rehearsal is too.",
)
@click.option("--serve", metavar="COMMAND", help="Serves a version; with {port}, and {python} or {url} if needed.")
@click.option(
    "--traffic", type=click.Path(path_type=Path, dir_okay=False), help="What to send, instead of rehearse.toml."
)
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1), help="Seconds of each phase.")
@click.option("--connections", default=4, show_default=True, type=click.IntRange(0, 1000), help="In the closed loop.")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0), help="Requests/s, open loop.")
@click.option("--writes", default=0.3, show_default=True, type=click.FloatRange(0.25, 1), help="Share of writes.")
@click.option("--timeout", default=10.0, show_default=True, type=click.FloatRange(0.1), help="Seconds for a response.")
@click.option("--seed", default=0, show_default=True, help="The seed of the generated rows and requests.")
@click.option("--kill", is_flag=True, help="Kill the migrator in each of its transactions, and start it again.")
@click.option("--migrators", default=1, show_default=True, type=click.IntRange(1, 16), help="Run so many at once.")
@click.option(
    "--long-transaction", type=click.FloatRange(0.1), metavar="SECONDS", help="Keep foreign transactions open so long."
)
@click.option("--restart", is_flag=True, help="Restart the ephemeral PostgreSQL during each backfill.")
@click.option("--baseline", is_flag=True, help="Measure the same change in Alembic's plain style too.")
@click.option("--max-failed", default=0, show_default=True, type=click.IntRange(0), help="Failed requests of a phase.")
@click.option("--max-lost", default=0, show_default=True, type=click.IntRange(0), help="Lost writes of a phase.")
@click.option("--max-lock-wait", default="60ms", show_default=True, type=Duration(), help="Of a request, PostgreSQL.")
@click.option("--max-lock-held", default="25ms", show_default=True, type=Duration(), help="If blocking, PostgreSQL.")
@click.option("--max-stall", type=Duration(), help="Of a writer, SQLite; default: no bar.")
@click.option("--max-p99-ratio", type=click.FloatRange(1), help="To that of the control; default: no bar.")
@output
def rehearse(*, output: Output, **options: Any) -> None:
    """Serve two versions while the schema changes.

    \b
    The previous version comes from Git. Both serve one database:
      1. control        the previous version, no migration
      2. expand         each new revision is upgraded
      3. rollout        the new version serves too
      4. backfill, contract, and back again: undo, downgrade
      5. up again, where every acknowledged write is read back

    Requests come from each version's OpenAPI document and the traffic file. The exit status is 1 beyond a bar.
    """
    from service.migrate.proof.rehearse import report
    from service.migrate.proof.rehearse.judge import Bars, judged
    from service.migrate.proof.rehearse.migrators import Faults
    from service.migrate.proof.rehearse.run import Plan, rehearsed
    from service.terminal.progress import progress

    config = target_of(None).config
    bars = Bars(
        failed=options.pop("max_failed"),
        lost=options.pop("max_lost"),
        lock_wait_ms=options.pop("max_lock_wait"),
        lock_held_ms=options.pop("max_lock_held"),
        stall_ms=options.pop("max_stall"),
        p99_ratio=options.pop("max_p99_ratio"),
    )
    faults = Faults(
        kill=options.pop("kill"),
        migrators=options.pop("migrators"),
        long_transaction_seconds=options.pop("long_transaction"),
        restart=options.pop("restart"),
    )
    if faults.kill and faults.migrators > 1:
        raise click.UsageError("--kill is about one migrator: leave out --migrators.")
    if faults.restart and options["server"]:
        raise click.UsageError("--restart restarts an ephemeral server: leave out --server.")
    if not options["connections"] and not options["rate"]:
        raise click.UsageError("--connections 0 and --rate 0 send no request.")
    with progress() as show:
        result = rehearsed(Plan(faults=faults, **options), config, show)
    rows, findings = judged(result.measured, bars)
    output.write(report.document(result, rows, findings), report.lines(result, rows, findings))
    if findings:
        click.get_current_context().exit(1)
