"""What stops a migration, as one sentence for a person."""

from alembic.util import CommandError

from service.errors import RosterError


class Refused(RosterError, CommandError):
    """The migration was not done, and nothing of it was kept; `alembic` prints the sentence, and so does `roster`."""


class Unknown(Refused):
    """The revision asked for is none of ours."""
