"""Tables that another program made, found before the first revision of an upgrade."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect

from service.migrate import naming
from service.migrate.errors import Refused
from service.migrate.plan.revisions import plans
from service.migrate.run.session import Session
from service.migrate.state import ledger

_MOST_NAMES = 5


def refuse_tables_there(session: Session, steps: Sequence[Any]) -> None:
    """Raises Refused if a database without a revision has tables already that these upgrades would create.

    Not if the ledger knows of a revision: then an upgrade was begun here, and goes on.
    """
    # In the transaction in which Alembic has made its table: a refusal takes that back too.
    if ledger.exists(session.connection) and ledger.known(session.connection):
        return
    inspector = inspect(session.connection)
    there = {_key(session, name): name for name in (*inspector.get_table_names(), *inspector.get_view_names())}
    found = plans([step.revision for step in steps], session.dialect)
    creates = dict.fromkeys(_key(session, name) for each in found for name in each.creates)
    if names := [there[name] for name in creates if name in there]:
        page = naming.current().adopting
        raise Refused(
            f"The database has {_listed(names)} already, and alembic_version names no revision: nothing was changed. "
            f"If a revision leaves them as they are, `alembic stamp REVISION` says so and {naming.command('upgrade')} "
            f"goes on from there{f'; see {page}' if page else ''}."
        )


def _key(session: Session, name: str) -> str:
    """SQLite takes names that differ in case for one."""
    return name.lower() if session.dialect == "sqlite" else name


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{'the table' if len(names) == 1 else 'the tables'} {shown}{more}"
