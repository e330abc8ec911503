"""`python -m library`: the library's own commands, the migrator's among them."""

import click

from library.schema import ALEMBIC_INI
from service.migrate.cli.group import Migrator


@click.group()
def main() -> None:
    """The library."""


main.add_command(Migrator("db", config=ALEMBIC_INI, help="The schema of the library."))

if __name__ == "__main__":
    main(prog_name="python -m library")
