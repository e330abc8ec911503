"""`diagram`."""

from pathlib import Path

import click

from service.migrate.cli import options


@click.command()
@click.argument("revision", required=False)
@click.option("--changes", is_flag=True, help="Only the tables that REVISION changes, and what it changes in them.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be given several times.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["svg", "mermaid"]),
    help="The format; without it SVG if FILE ends in .svg, else Mermaid.",
)
@options.output_file
def diagram(
    revision: str | None, tables: tuple[str, ...], format: str | None, file: Path | None, *, changes: bool
) -> None:
    """Draw the tables of the models, or at REVISION.

    The relationships are drawn too. The schema at a revision is made in a temporary SQLite file; no database of yours
    is read. Marks of --changes: + added, ~ changed, - removed.

    \b
      diagram                               the models, as Mermaid
      diagram -o schema.svg                 the models, as a picture
      diagram head --changes -o change.svg  what the newest revision changes
    """
    from service.migrate.errors import Unusable
    from service.migrate.proof.diagram import diagram as drawing

    options.end_in_order()
    config = options.target_of(None).config
    if changes and revision is None:
        raise Unusable("--changes needs the REVISION whose changes are to be marked, such as head.")
    report = _unsaid
    if revision is None:
        schema, title = drawing.of_models(config), "The tables of the models"
    elif changes:
        schema, title = drawing.of_change(revision, report, config), f"What revision {revision} changes"
    else:
        schema, title = drawing.of_revision(revision, report, config), f"The tables at revision {revision}"
    schema = drawing.selected(schema, tables)
    as_mermaid = format == "mermaid" or (format is None and (file is None or file.suffix.lower() != ".svg"))
    text = drawing.written(schema, title, as_mermaid=as_mermaid)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise Unusable(f"{file} cannot be written: {failure.strerror}.") from failure


def _unsaid(_sentence: str) -> None:
    """The temporary database is no news to a person."""
