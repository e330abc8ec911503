"""Options that several commands of `roster db` share, and the database they use."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from service.errors import Misconfigured

F = TypeVar("F", bound=Callable[..., Any])

as_sql = click.option("--sql", "as_sql", is_flag=True, help="Print the SQL for PostgreSQL; run nothing.")
# Accepted, so that the refusal can name the right command.
no_sql = click.option("--sql", "as_sql", is_flag=True, hidden=True)
_lock_wait = click.option(
    "--lock-wait",
    "lock_wait_seconds",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0.001, 0.9),
    metavar="SECONDS",
    help="Seconds to wait for one lock (lock_timeout); requests queued behind it wait as long.",
)
_deadline = click.option(
    "--deadline",
    "deadline_seconds",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Seconds until a step that cannot get its lock fails.",
)


def wait_limits(command: F) -> F:
    """Give a command the options of the runner's WaitLimits, as keyword arguments of the same names."""
    return _lock_wait(_deadline(command))


def resolved(url: str | None) -> str:
    """The URL of --database, else the one of the settings, ROSTER_MIGRATE_URL first."""
    from service.db.database import direct_url
    from service.settings import Settings

    return url or direct_url(Settings.from_env())


def require_revision(revision: str | None) -> str:
    """The revision whose SQL is to be printed."""
    if revision is None or revision == "head":
        raise Misconfigured("--sql prints the steps of one revision: name it, as in `roster db contract 0015 --sql`.")
    return revision
