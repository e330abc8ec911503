"""Refusal of an upgrade from no revision where its tables exist already, created by another program."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect

from service.migrate import naming
from service.migrate.dialects.reflected import folded
from service.migrate.errors import Refused
from service.migrate.plan.revisions import plans
from service.migrate.run.session import Session
from service.migrate.state import ledger

_MOST_NAMES = 5


def refuse_tables_there(session: Session, steps: Sequence[Any]) -> None:
    """Raises Refused if a database without a revision has tables that these upgrades would create.

    A revision in the ledger means that an upgrade is incomplete here: then nothing is refused.
    """
    # Alembic created alembic_version in this transaction: a refusal rolls that back too.
    if ledger.known_if_any(session.connection):
        return
    inspector = inspect(session.connection)
    there = {_key(session, name): name for name in (*inspector.get_table_names(), *inspector.get_view_names())}
    found = plans([step.revision for step in steps], session.dialect)
    creates = dict.fromkeys(_key(session, name) for each in found for name in each.creates)
    if names := [there[name] for name in creates if name in there]:
        page = naming.current().adopting
        raise Refused(
            f"The database already has {_listed(names)}, and alembic_version has no revision. Nothing was changed. "
            f"If a revision created the same schema, run `alembic stamp REVISION`, then {naming.command('upgrade')}"
            f"{f'; see {page}' if page else ''}."
        )


def _key(session: Session, name: str) -> str:
    """The name as the database compares it."""
    return folded(session.dialect, name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{'the table' if len(names) == 1 else 'the tables'} {shown}{more}"
