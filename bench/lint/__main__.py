"""`python -m bench.lint`: measures the statements of the corpus, and who warns of them, on each PostgreSQL here."""

import asyncio

import click
import msgspec

from bench.lint import squawk, static
from bench.lint.corpus import MEASURED, NOTICED_MS, ROWS, Version, corpus, measured
from bench.lint.measure import SERVER, alarms, traced
from bench.lint.measure import measured as measure
from bench.lint.report import Score, score, table, times
from service.migrate.proof.scratch import postgresql_database
from service.migrate.proof.server import ephemeral_server, installed_versions

_VERSIONS = (15, 16, 18)
_TRACED_ROWS = 100


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", "versions", multiple=True, type=int, help="Only this version; may be repeated.")
@click.option("--rows", default=ROWS, show_default=True, type=click.IntRange(1), help="Rows of each table.")
@click.option("--write", "writes", is_flag=True, help="Write what was measured to bench/lint/measured.json.")
@click.option("--squawk/--no-squawk", "with_squawk", default=True, help="Whether squawk-cli is asked too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def main(versions: tuple[int, ...], rows: int, *, writes: bool, with_squawk: bool, as_json: bool) -> None:
    """Measure which statements keep requests waiting, and who warns of them.

    The exit status is 1 if the trace misses a statement that blocks longer than 12 ms, or has a false alarm.
    """
    wanted = versions or tuple(each for each in _VERSIONS if each in installed_versions())
    found: dict[int, Version] = {}
    scores: list[Score] = []
    program = squawk.installed() if with_squawk else None
    for version in wanted:
        click.echo(f"PostgreSQL {version}: {len(corpus().of(version))} statements", err=True)
        found[version], warned = _run(version, rows)
        scores.append(score("trace", version, found[version], warned))
        read = static.alarms(static.rules(corpus(), version))
        scores.append(score("rules", version, found[version], read))
        if program is not None:
            reported = squawk.rules(program, corpus().of(version), version)
            own = [name for name, rules in reported.items() if rules & squawk.LOCKS]
            scores.append(score(squawk.version(program), version, found[version], own))
    if writes:
        everything = {str(each): what for each, what in ((measured() if MEASURED.exists() else {}) | found).items()}
        MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(everything, order="sorted"), indent=1) + b"\n")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"measured": found, "scores": scores})))
    else:
        _print(found, scores)
    if any(each.missed or each.wrong for each in scores if each.tool == "trace"):
        raise SystemExit(1)


def _run(version: int, rows: int) -> tuple[Version, list[str]]:
    with ephemeral_server(SERVER, version=version) as server:
        with postgresql_database(server.url) as url:
            observed = asyncio.run(traced(url, corpus(), version, rows=_TRACED_ROWS))
        found = asyncio.run(measure(server.url, corpus(), version, observed, rows=rows, report=_report))
    return found, list(alarms(observed))


def _report(line: str) -> None:
    click.echo(f"  {line}", err=True)


def _print(found: dict[int, Version], scores: list[Score]) -> None:
    for line in times(found):
        click.echo(line)
    click.echo()
    for line in table(scores):
        click.echo(line)
    for each in scores:
        click.echo(f"\n{each.tool} on PostgreSQL {each.version}, blocks > {NOTICED_MS:g} ms at {ROWS:,} rows")
        click.echo(f"  missed: {', '.join(each.missed) or 'nothing'}")
        click.echo(f"  false alarms: {', '.join(each.wrong) or 'none'}")


if __name__ == "__main__":
    main()
