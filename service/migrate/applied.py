"""The revisions that a database has, in their order, and what they would do in each phase."""

from collections.abc import Collection

from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import Connection

from service.migrate import contents, ledger
from service.migrate.adoption import adopt
from service.migrate.config import scripts
from service.migrate.executor import Executor
from service.migrate.phases import Plan, plan


def applied_scripts(connection: Connection) -> list[Script]:
    """The scripts of the revisions that are applied, the oldest first."""
    heads = MigrationContext.configure(connection).get_current_heads()
    return list(reversed(list(scripts().iterate_revisions(heads, "base")))) if heads else []


def plans(revisions: Collection[Script], dialect: str) -> list[Plan]:
    """The plans of those that are written in safe steps."""
    return [found for script in revisions if (found := plan(script, dialect)) is not None]


def adopt_applied(executor: Executor, revisions: Collection[str]) -> None:
    """Write down of the revisions with these ids, where the ledger does not know of them, how far they have come."""
    with executor.transaction():
        unknown = set(revisions) - ledger.known(executor.connection)
    for script in reversed(list(scripts().walk_revisions())):
        found = plan(script, executor.dialect) if script.revision in unknown else None
        if found is not None:
            adopt(executor, found, contents.content(script))
