"""What stops a migration, as one sentence for a person."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from alembic.script.revision import MultipleHeads, RevisionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from service.db.failures import causes
from service.db.urls import place
from service.errors import Misconfigured, RosterError


class Refused(RosterError, CommandError):
    """The migration was not done, and nothing of it was kept; `alembic` prints the sentence, and so does `roster`."""


class Unknown(Refused, Misconfigured):
    """The revision asked for is none of ours."""


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Turn what Alembic, the drivers and the network raise into Refused, with the cause behind it."""
    try:
        yield
    except RosterError:
        raise
    except CommandError as error:
        raise _of_alembic(error) from error
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        # PgBouncer lets nobody in who asks for what it cannot keep.
        if "unsupported startup parameter" in reason(error):
            raise through_a_pooler() from error
        raise Refused(f"{place(url)} cannot be used: {reason(error)}.") from error


def _of_alembic(error: CommandError) -> Refused:
    cause = error.__cause__
    if isinstance(cause, MultipleHeads):
        return two_heads(cause.heads)
    sentence = str(error).rstrip(".")
    if isinstance(cause, RevisionError):
        return Unknown(f"{sentence}. `roster db history` lists the revisions there are.")
    return Refused(f"{sentence}.")


def two_heads(heads: object) -> Refused:
    names = " and ".join(sorted(heads)) if isinstance(heads, (tuple, list, set, frozenset)) else str(heads)
    return Refused(f"The revisions have more than one head, {names}. Join them with `alembic merge heads`.")


def through_a_pooler() -> Refused:
    return Refused(
        "This URL leads through a pooler, which keeps neither locks nor sessions. Say in ROSTER_MIGRATE_URL where "
        "PostgreSQL itself is, for migrations."
    )


def reason(error: BaseException) -> str:
    """What the driver said, in one line without a full stop."""
    last = list(causes(error))[-1]
    return (str(last) or type(last).__name__).splitlines()[0].rstrip(".")
