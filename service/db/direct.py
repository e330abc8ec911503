"""One row read or written by the driver itself; its event is stored by the statement that writes it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Dialect

from service.db import audit, trail
from service.db.audit import Changes
from service.db.compiled import Compiled
from service.db.session import UnitSession

_KEY = "written_key"
# The columns of an event that its statement knows, after those that are shared by the unit's events.
_OWN = ("action", "resource", "resource_id", "changes")


class Write:
    """An INSERT or UPDATE of one row with RETURNING; the row's id is the last column, named by `key_column`.

    The statement returns the transaction's id too, and stores the event of the change: no statement is added
    (docs/decisions/0083).
    """

    __slots__ = ("_action", "_compiled", "_model", "_plain", "_recording")

    def __init__(
        self, model: Any, verb: str, statement: ClauseElement, columns: Iterable[Any], dialect: Dialect
    ) -> None:
        noun, one, _, _ = audit.subject(model)
        self._model = model
        self._action = f"{one}.{verb}"
        self._compiled = Compiled(statement, columns, dialect)
        read = "SELECT written.*, pg_current_xact_id()::text FROM written"
        self._plain = f"WITH written AS ({self._compiled.sql}) {read}"
        kinds = ("timestamptz", "bigint", "bigint", "text", "text")
        first = self._compiled.width + 1
        shared = ", ".join(f"${first + at}::{kind}" for at, kind in enumerate(kinds))
        own = f"'{self._action}', '{noun}', written.{_KEY}, ${first + len(kinds)}::text"
        event = f"INSERT INTO {audit.TABLE} ({', '.join((*trail.SHARED, *_OWN))}) SELECT {shared}, {own} FROM written"
        self._recording = f"WITH written AS ({self._compiled.sql}), stored AS ({event}) {read}"

    async def run(self, session: UnitSession, values: Mapping[str, Any], changes: Changes) -> Sequence[Any] | None:
        """Return the row as it is stored, with its id; `None` if there was none to change."""
        transaction: Any = await session.direct()
        arguments = self._compiled.arguments(values)
        sql = self._plain
        if session.is_audited:
            if earlier := audit.recorded(session):
                # Events keep the order of the changes.
                await trail.store_directly(session, transaction, earlier)
                earlier.clear()
            sql = self._recording
            arguments += [*trail.shared_values(session), audit.changes_text(self._model, changes)]
        rows = await transaction.fetch(sql, arguments)
        if not rows:
            return None
        [*row, transaction.xid] = rows[0]
        session.events_stored = session.events_stored or session.is_audited
        return self._compiled.row(row)


class Read:
    """A SELECT of one row, maybe locked."""

    __slots__ = ("_compiled",)

    def __init__(self, statement: ClauseElement, columns: Iterable[Any], dialect: Dialect) -> None:
        self._compiled = Compiled(statement, columns, dialect)

    async def run(self, session: UnitSession, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Return the row, or `None`."""
        transaction = await session.direct()
        rows = await transaction.fetch(self._compiled.sql, self._compiled.arguments(values))
        return self._compiled.row(rows[0]) if rows else None


def key_column(column: Any) -> Any:
    """Return the column of the id as `Write` needs it."""
    return column.label(_KEY)
