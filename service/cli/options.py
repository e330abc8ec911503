"""The option that commands other than `roster db` share."""

import click

database_option = click.option(
    "--database", metavar="URL", help="The database, instead of the one that ROSTER_DATABASE_URL names."
)
