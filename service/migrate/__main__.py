"""`python -m service.migrate`: the migrator's commands for the project of an alembic.ini."""

from argparse import Namespace
from pathlib import Path

import click

from service.migrate.cli.group import Migrator, set_config
from service.terminal.options import database


@click.group(cls=Migrator, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help="The alembic.ini or pyproject.toml, instead of $ALEMBIC_CONFIG or the working folder's.",
)
@click.option("-n", "--name", default="alembic", show_default=True, help="The section of alembic.ini.")
@click.option("-x", "x", multiple=True, metavar="NAME=VALUE", help="An argument for env.py; it may be repeated.")
@database
@click.pass_context
def main(context: click.Context, _url: str | None, config: Path | None, name: str, x: tuple[str, ...]) -> None:
    """Safe schema changes for a project with Alembic: upgrade, downgrade, status.

    \b
      python -m service.migrate status           revision, pending phases, drift
      python -m service.migrate upgrade          expand: safe beside old and new code
      python -m service.migrate backfill         fill existing rows, in batches
      python -m service.migrate contract         remove what only old code used
      python -m service.migrate purge            empty the trash
      python -m service.migrate downgrade -1     one revision back, with every value
      python -m service.migrate revision -m "add colour to users"    draft a revision

    A revision is named by its id, the first characters of it, or steps from the current one (+1, -2). Alembic's own
    commands work too: `alembic upgrade head`, `alembic history`, `alembic check`. The database is that of --database,
    else of env.py, else of sqlalchemy.url in alembic.ini.
    """
    if x or name != "alembic":
        from service.migrate.plan.config import configuration  # noqa: PLC0415 - `--help` must not wait for Alembic

        made = configuration(config)
        made.config_ini_section, made.cmd_opts = name, Namespace(x=list(x))
        set_config(context, made)
    elif config is not None:
        set_config(context, config)


if __name__ == "__main__":
    main(prog_name="python -m service.migrate")
