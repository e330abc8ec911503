"""Events of rows that are inserted in bulk: the database makes them of the rows themselves."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, Table, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import audit, bulk
from service.db.audit import Subject
from service.db.clock import now
from service.db.session import note_stored_events
from service.db.sqlite import bulk as sqlite_bulk
from service.db.sqlite.bulk import Events
from service.db.types import UtcDateTime

_COLUMNS = "created_at, actor_id, token_id, via, request_id, action, resource, resource_id, resource_key, changes"
_SHARED = ":created_at, :actor_id, :token_id, :via, :request_id, :action, :resource"
# Evaluated once, and not for each row as the column's default would be.
_TRANSACTION = "(SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint))"
_INSERT_ON_POSTGRESQL = f"INSERT INTO {audit.TABLE} (transaction_id, {_COLUMNS}) SELECT {_TRANSACTION}"
_SHARED_ON_POSTGRESQL = (
    "CAST(:created_at AS timestamptz), CAST(:actor_id AS bigint), CAST(:token_id AS bigint), CAST(:via AS text), "
    "CAST(:request_id AS text), CAST(:action AS text), CAST(:resource AS text)"
)
_LAST_SECOND = len("2024-02-29 12:00:00")


async def insert_many(
    session: AsyncSession,
    table: Table,
    subject: Subject,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    inserted: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Insert rows as `bulk.insert_many` does, each with its event; raises as that.

    `inserted` is called when the rows are in the transaction, before their events; on SQLite nothing waits for it.
    """
    note_stored_events(session)
    connection = await session.connection()
    by = audit.audit_of(session)
    shared = {
        "created_at": now(),
        "actor_id": by.actor_id,
        "token_id": by.token_id,
        "via": by.via,
        "request_id": by.request_id,
        "action": f"{subject.one}.created",
        "resource": subject.noun,
    }
    if connection.dialect.name == "sqlite":
        moment = UtcDateTime().dialect_impl(connection.dialect).bind_processor(connection.dialect)
        parameters = shared | {"created_at": moment(shared["created_at"]) if moment else shared["created_at"]}
        events = Events(_of_last_rows(table, subject), parameters)
        await sqlite_bulk.insert_many(connection, table.name, columns, rows, events, _from_thread(inserted))
        return
    if table.autoincrement_column is not None:
        last = await bulk.next_id(session, table)
        await bulk.insert_many(session, table, columns, rows)
        if inserted is not None:
            await inserted()
        await connection.execute(_of_rows_after(table, subject), shared | {"last": last})
        return
    await bulk.insert_many(session, table, columns, rows)
    if inserted is not None:
        await inserted()
    places = [(column.name, columns.index(column.name)) for column in table.primary_key]
    keys = {f"keys_{name}": [row[at] for row in rows] for name, at in places}
    await connection.execute(_of_rows(table, subject), shared | keys)


def _from_thread(function: Callable[[], Coroutine[Any, Any, None]] | None) -> Callable[[], object] | None:
    """Return what lets the running event loop call the function, from another thread."""
    if function is None:
        return None
    loop = asyncio.get_running_loop()
    return lambda: asyncio.run_coroutine_threadsafe(function(), loop)


@cache
def _of_last_rows(table: Table, subject: Subject) -> str:
    made = f"SELECT {_SHARED}, {_identity(table)}, {_changes_on_sqlite(table, subject)}"
    source = f"FROM {table.name} AS stored WHERE rowid > :last ORDER BY rowid"
    return f"INSERT INTO {audit.TABLE} ({_COLUMNS}) {made} {source}"


@cache
def _of_rows_after(table: Table, subject: Subject) -> Any:
    made = f"{_SHARED_ON_POSTGRESQL}, {_identity(table)}, {_escaped(_changes_on_postgresql(table, subject))}"
    # Without the end of the range PostgreSQL reads the whole of a table that statistics do not know yet.
    end = f"(SELECT currval(pg_get_serial_sequence('{table.name}', 'id')))"
    # Others insert rows meanwhile; this transaction's own are known by their xmin.
    own = f"stored.id > :last AND stored.id <= {end} AND stored.xmin = (SELECT CAST(pg_current_xact_id() AS xid))"
    source = f"FROM {table.name} AS stored WHERE {own} ORDER BY stored.id"
    return text(f"{_INSERT_ON_POSTGRESQL}, {made} {source}")


@cache
def _of_rows(table: Table, subject: Subject) -> Any:
    names = [column.name for column in table.primary_key]
    keys = ", ".join(f":keys_{name}" for name in names)
    listed = f"unnest({keys}) WITH ORDINALITY AS sent ({', '.join(names)}, place)"
    made = f"{_SHARED_ON_POSTGRESQL}, {_identity(table)}, {_escaped(_changes_on_postgresql(table, subject))}"
    source = f"FROM {listed} JOIN {table.name} AS stored USING ({', '.join(names)}) ORDER BY sent.place"
    arrays = [bindparam(f"keys_{name}", type_=ARRAY(BigInteger())) for name in names]
    return text(f"{_INSERT_ON_POSTGRESQL}, {made} {source}").bindparams(*arrays)


def _identity(table: Table) -> str:
    """The id of a row or, if its primary key is something else, that key as text."""
    names = [column.name for column in table.primary_key]
    if len(names) == 1:
        return f"stored.{names[0]}, NULL"
    return "NULL, " + " || '/' || ".join(f"CAST(stored.{name} AS text)" for name in names)


def _changes_on_sqlite(table: Table, subject: Subject) -> str:
    """JSON text of the columns that are not NULL, as `audit.record_created` makes it."""
    shown = _shown(table, subject)
    # Each part closes the list of the one before.
    parts = [(column, f"""'],"{column.name}":[null,' || {_on_sqlite(column)}""") for column in shown]
    joined = " || ".join(_or_nothing(part, column) if column.nullable else part for column, part in parts)
    if shown[0].nullable:
        return "'{' || substr(" + joined + " || ']}', 3)"
    return joined.replace("'],", "'{", 1) + " || ']}'"


def _changes_on_postgresql(table: Table, subject: Subject) -> str:
    """The same text; concat leaves NULL out, copies each part once, and needs no cast from json."""
    parts, closing = [], ""
    for column in _shown(table, subject):
        name, value = f',"{column.name}":[null,', _on_postgresql(column)
        if column.nullable:
            parts += [f"'{closing}'", f"'{name}' || CAST({value} AS text) || ']'"]
            closing = ""
        else:
            # Fewer and longer parts cost less.
            parts += [f"'{closing}{name}'", value]
            closing = "]"
    first, *others = [*parts, f"'{closing}}}'"]
    joined = ", ".join(others)
    if first.startswith("',"):
        return f"concat('{{{first[2:]}, {joined})"
    # Which column comes first, without a comma, depends on the row. substr costs as much as three columns.
    return f"'{{' || substr(concat({joined}), 2)"


def _shown(table: Table, subject: Subject) -> list[Column[Any]]:
    return [column for column in table.columns if column.name in subject.shown]


def _escaped(sql: str) -> str:
    # A colon would begin the name of a parameter.
    return sql.replace(":", "\\:")


def _or_nothing(part: str, column: Column[Any]) -> str:
    return f"CASE WHEN stored.{column.name} IS NULL THEN '' ELSE {part} END"


def _on_sqlite(column: Column[Any]) -> str:
    name = f"stored.{column.name}"
    if isinstance(column.type, Boolean):
        return f"CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
    if isinstance(column.type, UtcDateTime):
        whole = f"CASE WHEN {name} LIKE '%.000000' THEN substr({name}, 1, {_LAST_SECOND}) ELSE {name} END"
        return f"""'"' || replace({whole}, ' ', 'T') || 'Z"'"""
    return name if isinstance(column.type, JSON | Integer) else f"json_quote({name})"


def _on_postgresql(column: Column[Any]) -> str:
    name = f"stored.{column.name}"
    if isinstance(column.type, UtcDateTime):
        fraction = f"CASE WHEN date_trunc('second', {name}) = {name} THEN '' ELSE '.US' END"
        moment = f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS' || {fraction})"""
        return f"""'"' || {moment} || 'Z"'"""
    is_plain = isinstance(column.type, (Boolean, Integer, JSON))
    return f"CAST({name} AS text)" if is_plain else f"to_json({name})"
