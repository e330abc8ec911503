"""`history`."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.migrate.cli.options import target_of
from service.terminal.options import database, output
from service.terminal.output import Output

if TYPE_CHECKING:
    from service.migrate.plan.revisions import Revision


@click.command()
@output
@database
def history(url: str | None, *, output: Output) -> None:
    """List the revisions, newest first, with a star at applied ones.

    Without a database the list has no stars.
    """
    import asyncio

    from service.migrate.entrypoints import status
    from service.migrate.errors import Refused
    from service.migrate.plan.config import scripts
    from service.migrate.plan.revisions import history

    target = target_of(url)
    directory = scripts(target.config)
    try:
        standing = asyncio.run(status.standing(target.url, target.supported, config=target.config))
        applied = standing.applied(directory)
    except Refused:
        applied = None
    revisions = history(directory, applied)
    output.write([asdict(each) for each in revisions], _lines(revisions))


def _lines(revisions: "Iterable[Revision]") -> Iterator[str]:
    width = max((len(each.id) for each in revisions), default=0)
    for each in revisions:
        more = f" ({', '.join(each.phases[1:])})" if each.phases[1:] else ""
        columns = (
            "*" if each.applied else " ",
            f"{each.id:{width}}",
            *filter(None, [each.date]),
            f"{each.title}{more}",
        )
        yield f"{columns[0]} {'  '.join(columns[1:])}"
