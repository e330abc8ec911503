"""Options that several commands of the migrator share, and the project and the database they are about."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import click

if TYPE_CHECKING:
    from service.migrate.plan.config import Source
    from service.migrate.state.compatibility import Range

F = TypeVar("F", bound=Callable[..., Any])

as_sql = click.option("--sql", "as_sql", is_flag=True, help="Print the SQL for PostgreSQL; run nothing.")
# Accepted, so that the refusal can name the right command.
no_sql = click.option("--sql", "as_sql", is_flag=True, hidden=True)
DATABASES = ("sqlite", "postgresql")
since = click.option("--since", metavar="BASE", help="Only revisions after this one, or new since this commit of Git.")
databases = click.option(
    "--on",
    "databases",
    type=click.Choice(DATABASES),
    multiple=True,
    default=DATABASES,
    help="Only on this database, instead of on both.",
)
scratch_server = click.option(
    "--server", metavar="URL", help="A PostgreSQL server instead of an ephemeral one; the role creates databases."
)
output_file = click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write to this file instead of standard output.",
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The project and the database of a command; `None` stands for the default of the migrator's functions."""

    url: str | None = None
    config: "Source | None" = None
    supported: "Range | None" = None


@runtime_checkable
class Finder(Protocol):
    """A group of commands that knows which project and which database they are about."""

    def target(self, context: click.Context, url: str | None) -> Target: ...


def target_of(url: str | None) -> Target:
    """What the running command is about, as its group says; `url` is that of --database."""
    context: click.Context | None = click.get_current_context()
    while context is not None:
        if isinstance(context.command, Finder):
            return context.command.target(context, url)
        context = context.parent
    raise RuntimeError("A command of the migrator runs in a group of the class Migrator.")


def end_in_order() -> None:
    """Let SIGTERM end the running command as Ctrl-C does: what it made for its work is removed."""
    from service.migrate.proof.stopping import terminable

    click.get_current_context().with_resource(terminable())


def require_revision(revision: str | None) -> str:
    """The revision whose SQL is to be printed."""
    from service.migrate import naming
    from service.migrate.errors import Unusable

    if revision is None or revision == "head":
        example = naming.command("contract REVISION --sql")
        raise Unusable(f"--sql prints the steps of one revision: name it, as in {example}.")
    return revision
