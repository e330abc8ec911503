"""One row written to SQLite past SQLAlchemy's connection; its event is stored just before the COMMIT."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Executable, bindparam, select

from service.db import audit
from service.db.audit import Changes
from service.db.compiled import Compiled
from service.db.session import UnitSession


class SqliteWrite:
    """An INSERT or UPDATE of one row with RETURNING; the row's id is the last column."""

    __slots__ = ("_again", "_compiled", "_model", "_statement", "_verb")

    def __init__(self, model: Any, verb: str, statement: Executable, columns: Sequence[Any], dialect: Dialect) -> None:
        self._model = model
        self._verb = verb
        self._statement = statement
        self._compiled = Compiled(statement, columns, dialect)  # type: ignore[arg-type]
        again = select(*columns).where(columns[-1] == bindparam("id"))
        self._again = Compiled(again, columns, dialect).sql

    async def run(self, session: UnitSession, values: Mapping[str, Any], changes: Changes) -> Sequence[Any] | None:
        """Return the row as it is stored, with its id; `None` if there was none to change."""
        transaction: Any = await session.direct()
        try:
            rows = await transaction.fetch_stored(self._compiled.sql, self._compiled.arguments(values), self._again)
        except sqlite3.IntegrityError as failure:
            if getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                # SQLite does not name the key; service.db.sqlite.pooled finds it for a statement of SQLAlchemy.
                await session.execute(self._statement, values)
            raise
        if not rows:
            return None
        row = self._compiled.row(rows[0])
        if session.is_audited:
            audit.record_row(session, self._model, self._verb, {"id": row[-1]}, changes)
        return row
