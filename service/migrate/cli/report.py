"""`report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.migrate.cli.options import target_of

if TYPE_CHECKING:
    from service.migrate.plan.config import Source
    from service.migrate.proof.diagram.schema import Schema

_FILE = click.Path(path_type=Path, dir_okay=False)
# More revisions than these are a history, whose picture says nothing about a change.
_MOST_REVISIONS = 20


@click.command()
@click.option("--verify", "verified", type=_FILE, metavar="FILE", help="What `verify --json` printed.")
@click.option("--lint", "linted", type=_FILE, metavar="FILE", help="What `lint --format json` printed.")
@click.option("--plan", "planned", type=_FILE, metavar="FILE", help="What `plan --json` printed.")
@click.option("--rehearse", "rehearsed", type=_FILE, metavar="FILE", help="What `rehearse --json` printed.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page that needs no other file.")
@click.option("--markdown", type=_FILE, metavar="FILE", help="Write Markdown here instead of to standard output.")
@click.option("--title", default="Migrations", show_default=True, help="The title of the page.")
def report(
    verified: Path | None,
    linted: Path | None,
    planned: Path | None,
    rehearsed: Path | None,
    html: Path | None,
    markdown: Path | None,
    title: str,
) -> None:
    """Make one report of the other tools' documents.

    At least one document is needed. The report begins with the verdict; then come the findings, a diagram of what the
    revisions change, the plan, and the figures of the rehearsal.

    The exit status is 0 without a finding, 1 with findings, 2 if a file is no such document.
    """
    from service.migrate.errors import Unusable
    from service.migrate.proof.diagram import mermaid, svg
    from service.migrate.proof.report import documents, page
    from service.migrate.proof.report import markdown as as_markdown
    from service.migrate.proof.report.contents import Contents

    if not (verified or linted or planned or rehearsed):
        raise Unusable("There is nothing to report: name a document with --verify, --lint, --plan or --rehearse.")
    contents = Contents(
        verify=documents.read(verified, "verify", documents.Verify) if verified else None,
        lint=documents.read(linted, "lint", documents.Lint) if linted else None,
        plan=documents.read(planned, "plan", documents.Plan) if planned else None,
        rehearsal=documents.read(rehearsed, "rehearse", documents.Rehearsal) if rehearsed else None,
    )
    config = target_of(None).config
    change = _change(contents.revisions, config)
    text = as_markdown.written(contents, mermaid.written(change) if change else "")
    if markdown is None:
        click.echo(text, nl=False)
    else:
        _write(markdown, text)
    if html is not None:
        drawing = svg.embedded(change, "What the revisions change") if change else ""
        _write(html, page.written(contents, drawing, svg.style(".diagram"), title))
    click.get_current_context().exit(1 if contents.findings else 0)


def _change(revisions: list[str], config: "Source | None") -> "Schema | None":
    """What these revisions change; nothing for a document of another project, or of a whole history."""
    from service.migrate.errors import Refused
    from service.migrate.proof.diagram import diagram

    if not 0 < len(revisions) <= _MOST_REVISIONS:
        return None
    try:
        found = diagram.of_changes(revisions, lambda _sentence: None, config)
    except Refused:
        # A revision that does not run is a finding of the documents, and no reason to have no report.
        return None
    return found if found.tables else None


def _write(file: Path, text: str) -> None:
    from service.migrate.errors import Unusable

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise Unusable(f"{file} cannot be written: {failure.strerror}.") from failure
