"""`roster db alembic`: Alembic's command with the installed revisions."""

import click

from service.terminal.options import database


@click.command(
    "alembic",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@database
def alembic_command(url: str | None, /, arguments: tuple[str, ...]) -> None:
    """Run Alembic's own command on these revisions.

    Examples: `roster db alembic history --verbose`, `roster db alembic check`.

    It is `alembic -c FILE`, with the alembic.ini of this installation, on the database of `roster db`.
    """
    from alembic.config import CommandLine

    from service.migrate.plan.config import configuration_file

    at = ["-x", f"url={url}"] if url else []
    CommandLine(prog="roster db alembic").main([f"--config={configuration_file()}", *at, *arguments])
