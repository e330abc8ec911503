"""Rows stored one by one, in a transaction to be rolled back: which of them a constraint refuses, and by which."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.violations import Violations
from service.errors import Conflict

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int, str, str, str]]).decode
_SEND = text("SELECT set_config('trial.rows', :rows, true)")
_RECEIVE = text("SELECT current_setting('trial.refused')")
# A row in a block with an exception handler is a subtransaction: one round trip for all rows.
_LOOP = """
DO $trial$
DECLARE
    sent record;
    refused json[] := '{{}}';
    named text;
    missing text;
BEGIN
    FOR sent IN
        SELECT listed.place, stored.* FROM json_array_elements(current_setting('trial.rows')::json)
        WITH ORDINALITY AS listed (document, place), json_populate_record(NULL::{table}, listed.document) AS stored
    LOOP
        BEGIN
            {statement};
        EXCEPTION WHEN integrity_constraint_violation THEN
            GET STACKED DIAGNOSTICS named = CONSTRAINT_NAME, missing = COLUMN_NAME;
            refused := refused || json_build_array(sent.place - 1, SQLSTATE, named, missing);
        END;
    END LOOP;
    PERFORM set_config('trial.refused', array_to_json(refused)::text, true);
END
$trial$
"""


class Trial:
    """Inserts and updates of one table in the transaction of a session, which must not commit."""

    def __init__(self, session: AsyncSession, table: Table, violations: Violations) -> None:
        self._session = session
        self._table = table
        self._violations = violations

    async def insert(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[int, Conflict]:
        """Return the conflict of each row that is refused, by its place; values are those of `bulk.insert_many`."""
        connection = await self._session.connection()
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {self._table.name} ({', '.join(columns)}) VALUES ({marks})"
            return await self._on_sqlite(sql, rows)
        documents = {name for name in columns if isinstance(self._table.c[name].type, JSON)}
        sent = [dict(zip(columns, row, strict=True)) for row in rows]
        for row in sent:
            # The driver takes the text of a document.
            row.update({name: msgspec.Raw(row[name].encode()) for name in documents if row[name] is not None})
        return await self._on_postgresql(_insertion(self._table, tuple(columns)), sent)

    async def update(self, rows: Sequence[Mapping[str, Any]]) -> dict[int, Conflict]:
        """Return the conflict of each row that is refused, by its place; values are those of `bulk.update_many`."""
        if not rows:
            return {}
        key = [column.name for column in self._table.primary_key]
        names = [name for name in rows[0] if name not in key]
        connection = await self._session.connection()
        if connection.dialect.name == "sqlite":
            makers = {
                name: self._table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
                for name in names
            }
            changed, found = ", ".join(f"{name} = ?" for name in names), " AND ".join(f"{name} = ?" for name in key)
            values = [
                [*(_made(makers[name], row[name]) for name in names), *(row[name] for name in key)] for row in rows
            ]
            return await self._on_sqlite(f"UPDATE {self._table.name} SET {changed} WHERE {found}", values)
        return await self._on_postgresql(_update(self._table, tuple(names)), rows)

    async def _on_postgresql(self, loop: str, rows: Sequence[Mapping[str, Any]]) -> dict[int, Conflict]:
        connection = await self._session.connection()
        await connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        await connection.execute(_SEND, {"rows": _encode(rows).decode()})
        await connection.exec_driver_sql(loop)
        found = _decode(await connection.scalar(_RECEIVE) or "[]")
        return {place: self._violations.named(state, name, column) for place, state, name, column in found}

    async def _on_sqlite(self, sql: str, rows: Sequence[Sequence[Any]]) -> dict[int, Conflict]:
        connection = await self._session.connection()
        # SQLAlchemy sees the failures of its first statement, which begins.
        await connection.exec_driver_sql("SELECT 1")
        refused = await connection.run_sync(_in_thread, sql, rows)
        # Of many rows few messages differ.
        failures = {str(failure): failure for _, failure in refused}
        conflicts = {message: self._conflict(failure) for message, failure in failures.items()}
        return {place: conflicts[str(failure)] for place, failure in refused}

    def _conflict(self, failure: Exception) -> Conflict:
        conflict = self._violations.conflict(failure)
        if conflict is None:
            raise failure
        return conflict


def _made(make: Any, value: Any) -> Any:
    return value if make is None else make(value)


def _in_thread(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> list[tuple[int, Exception]]:
    adapted: Any = connection.connection.dbapi_connection
    refused: list[tuple[int, Exception]] = adapted.run(_each, sql, rows)
    return refused


def _each(
    connection: sqlite3.Connection, _begun: None, sql: str, rows: Sequence[Sequence[Any]]
) -> list[tuple[int, Exception]]:
    refused: list[tuple[int, Exception]] = []
    cursor = connection.cursor()
    for place, row in enumerate(rows):
        try:
            cursor.execute(sql, row)
        except sqlite3.IntegrityError as failure:
            refused.append((place, failure))
    return refused


@cache
def _insertion(table: Table, columns: tuple[str, ...]) -> str:
    values = ", ".join(f"sent.{name}" for name in columns)
    statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({values})"
    return _LOOP.format(table=table.name, statement=statement)


@cache
def _update(table: Table, names: tuple[str, ...]) -> str:
    changed = ", ".join(f"{name} = sent.{name}" for name in names)
    found = " AND ".join(f"{table.name}.{column.name} = sent.{column.name}" for column in table.primary_key)
    return _LOOP.format(table=table.name, statement=f"UPDATE {table.name} SET {changed} WHERE {found}")
