"""`lint`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from service.migrate.cli import options
from service.terminal.options import database

if TYPE_CHECKING:
    from service.migrate.proof.lint.lint import Asked
    from service.migrate.proof.lint.rule import Rule


class Selection(TypedDict):
    """Which revisions are examined, for what, and by which rules."""

    since: str | None
    databases: tuple[str, ...]
    version: int
    only: tuple[str, ...]
    ignored: tuple[str, ...]
    traces: bool
    server: str | None
    rows: int


def _list(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if wanted:
        from service.migrate.proof.lint.lint import listed

        rules = listed()
        width = max(len(each.id) for each in rules)
        for each in rules:
            click.echo(f"{each.id:{width}}  {each.level:7}  {each.effect}")
        context.exit()


def _explain(context: click.Context, _option: click.Parameter, id: str | None) -> None:
    if id:
        from service.migrate.proof.lint.lint import rule

        for line in _explained(rule(id)):
            click.echo(line)
        context.exit()


def _explained(rule: "Rule") -> Iterator[str]:
    names = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
    yield f"{rule.id} ({rule.level}, {' and '.join(names[each] for each in rule.databases)})"
    yield f"  {rule.family}."
    yield f"  Users: {rule.effect}"
    yield f"  Safe: {rule.advice}."
    if rule.versions:
        yield f"  PostgreSQL: {rule.versions}."


@click.command()
@options.since
@options.databases
@click.option(
    "--postgresql-version",
    "version",
    type=click.IntRange(15, 18),
    default=15,
    show_default=True,
    help="The oldest version of PostgreSQL that you run.",
)
@click.option("--rule", "only", multiple=True, metavar="ID", help="Only this rule; it may be repeated.")
@click.option("--ignore", "ignored", multiple=True, metavar="ID", help="Not this rule; it may be repeated.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "sarif", "junit", "github"]),
    default="text",
    show_default=True,
    help="The format of the findings.",
)
@options.output_file
@click.option("--trace", "traces", is_flag=True, help="Execute the revisions on PostgreSQL too, and read their locks.")
@click.option("--server", metavar="URL", help="With --trace: this server instead of an ephemeral one.")
@click.option(
    "--rows", default=50, show_default=True, type=click.IntRange(2, 100_000), help="With --trace: rows in each table."
)
@click.option("--fix", "fixes", is_flag=True, help="Rewrite op with safe operations where that is exact.")
@click.option("--diff", "shows_diff", is_flag=True, help="With --fix: print the change and write nothing.")
@click.option("--list-rules", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the rules.")
@click.option(
    "--explain", metavar="ID", is_eager=True, expose_value=False, callback=_explain, help="Explain this rule."
)
@database
def lint(
    url: str | None, format: str, file: Path | None, *, fixes: bool, shows_diff: bool, **selection: Unpack[Selection]
) -> None:
    """Find what a revision would do to requests.

    The revisions are read without a database: their operations, their SQL, the models and the history. With --trace
    they are executed too, on a PostgreSQL that is made for it. With --database the triggers, functions, views,
    policies and publications of that database are known too; nothing is changed there. Each finding has its file and
    line, what users would feel, and the safe way. A comment on the line, or above it, suppresses one:

    \b
      # lint: ignore[index-blocks-writes] until 2027-03-01: the table is empty

    The exit status is 1 if there are findings.
    """
    from service.migrate.proof.lint.formats.formats import FORMATS
    from service.migrate.proof.lint.lint import Asked, lint
    from service.terminal.progress import progress

    options.end_in_order()
    asked = Asked(url=url, **selection)
    if fixes or shows_diff:
        found = _fix(asked, is_diff=shows_diff)
        if shows_diff:
            click.get_current_context().exit(1 if found else 0)
    with progress() as show:
        result = lint(
            asked, options.target_of(None).config, lambda done, total, revision: show("trace", done, total, revision)
        )
    _write(FORMATS[format](result), file)
    if result.findings:
        click.get_current_context().exit(1)


def _fix(asked: "Asked", *, is_diff: bool) -> bool:
    """Write the fixes, or print them; the reasons of what is not exact go to standard error."""
    from service.migrate.proof.lint.fix.fixing import fixes

    found = list(fixes(asked, options.target_of(None).config))
    for each in found:
        for line, reason in each.refusals:
            click.echo(f"{each.revision.file}:{line}: not fixed: {reason}.", err=True)
        if is_diff:
            click.echo(each.diff(), nl=False)
        elif each.is_exact:
            each.write()
            click.echo(f"Fixed {each.revision.file}.", err=True)
    if not found:
        click.echo("There is no new revision in Alembic's plain style; --since BASE names an older base.", err=True)
    return bool(found)


def _write(text: str, file: Path | None) -> None:
    from service.migrate.errors import Unusable

    if file is None:
        click.echo(text)
        return
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as failure:
        raise Unusable(f"{file} cannot be written: {failure.strerror}.") from failure
