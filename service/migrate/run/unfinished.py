"""Refusal to rename a table while steps of a later phase still name it."""

from collections.abc import Collection, Iterable

from alembic.script import Script
from sqlalchemy import Connection

from service.migrate import naming
from service.migrate.errors import Refused
from service.migrate.plan.plan import Phase, Plan
from service.migrate.plan.revisions import plans
from service.migrate.state import ledger

_LATER = (Phase.SETTLE, Phase.CONTRACT)


def refuse_renames(connection: Connection, dialect: str, applied: Iterable[Script], left: Iterable[Script]) -> None:
    """Raises Refused as `refuse_renames_among` does, for revisions that are left after those that are applied."""
    done = ledger.all_done(connection) if ledger.exists(connection) else {}
    pending = [each for each in plans(list(applied), dialect) if _is_pending(each, done)]
    refuse_renames_among(pending, plans(list(left), dialect))


def refuse_renames_among(pending: Collection[Plan], left: Iterable[Plan]) -> None:
    """A settle or contract step runs on the table that it names, which would be a view or gone.

    Raises:
        Refused: one of the revisions that are left renames a table for which it, or an earlier one, has steps left.
    """
    earlier = list(pending)
    for found in left:
        renamed = {old for old, _ in found.renames}
        if own := renamed & found.later:
            raise Refused(
                f"{found.revision} renames {_listed(own)}, for which its other operations have steps left after the "
                "upgrade. Rename the table in a revision of its own."
            )
        for each in earlier:
            if both := renamed & {*each.later, *(name for names in each.renames for name in names)}:
                raise Refused(
                    f"{found.revision} renames {_listed(both)}, for which {each.revision} has steps left. Run "
                    f"{naming.command(f'upgrade {each.revision}')}, {naming.command('backfill')} and "
                    f"{naming.command('contract')} first."
                )
        earlier.append(found)


def _is_pending(found: Plan, done: dict[tuple[str, str], int]) -> bool:
    return any(done.get((found.revision, phase), 0) < len(found.steps(phase)) for phase in _LATER)


def _listed(tables: Collection[str]) -> str:
    return " and ".join(sorted(tables))
