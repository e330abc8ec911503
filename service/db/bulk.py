"""Many rows at once inside a unit of work: COPY or executemany, and look-ups by lists of keys."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    RowMapping,
    Select,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from service.db.failures import Cure, cure
from service.db.sqlite import bulk as sqlite_bulk

# asyncpg waits without any limit for a socket that is full.
_COPY_SECONDS = 60.0
_NEXT_ID = text("SELECT nextval(pg_get_serial_sequence(:name, 'id'))")
# What a binary COPY meets when a column changed its type after its encoders were made.
_STALE_ENCODERS = (asyncpg.InvalidBinaryRepresentationError, asyncpg.BadCopyFileFormatError)


async def insert_many(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows whose values are already what the driver takes, in the session's own transaction.

    Raises what the driver raises; `Units.run` knows what to do with it.
    """
    connection = await session.connection()
    if connection.dialect.name == "sqlite":
        await sqlite_bulk.insert_many(connection, table.name, columns, rows)
        return
    # SQLAlchemy begins with its first statement; a COPY before that would commit by itself.
    if not (await _driver(connection)).is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")
    await _copy(connection, table.name, columns, rows)


async def next_id(session: AsyncSession, table: Table) -> int:
    """Return an id that every row inserted later is above; on PostgreSQL, of a table that generates its ids."""
    connection = await session.connection()
    return int(await connection.scalar(_NEXT_ID, {"name": table.name}) or 0)


async def _driver(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def _copy(connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    driver = await _driver(connection)
    try:
        async with asyncio.timeout(_COPY_SECONDS):
            await driver.copy_records_to_table(table, records=rows, columns=columns)
    except _STALE_ENCODERS as failure:
        await connection.invalidate()
        raise asyncpg.OutdatedSchemaCacheError(str(failure)) from failure
    except BaseException as failure:
        # SQLAlchemy does not see what happens on the driver's own connection.
        if not isinstance(failure, Exception) or cure(failure) is Cure.RECONNECT:
            await connection.invalidate()
        raise


async def update_many(session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give rows the values in `rows`, which all name the same columns: the primary key, `version` and what changes.

    The rows are locked as an UPDATE that changes no key does, in one statement.

    Raises:
        StaleDataError: the version of a row is not the one before that in `rows`; `Units.run` does the work again.
    """
    key = [*table.primary_key]
    columns = [*key, table.c.version]
    expected = {(*(row[column.name] for column in key), row["version"] - 1) for row in rows}
    held = await find(session, columns, key, [each[:-1] for each in expected], lock=True)
    if {tuple(row.values()) for row in held} != expected:
        raise StaleDataError("A row was changed after it was looked at.")
    names = [column.name for column in key]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name not in names}
    statement = update(table).values(values)
    for column in key:
        statement = statement.where(column == bindparam(f"new_{column.name}"))
    connection = await session.connection()
    await connection.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in rows])


async def find(
    session: AsyncSession,
    wanted: Sequence[Column[Any]],
    by: Sequence[Column[Any]],
    keys: Sequence[Sequence[Any]],
    *,
    lock: bool = False,
) -> Sequence[RowMapping]:
    """Return the wanted columns of every row whose columns `by` hold one of the combinations in `keys`.

    `lock` locks the rows as an UPDATE that changes no key does, until the unit ends.
    """
    connection = await session.connection()
    if connection.dialect.name == "sqlite":
        values: dict[str, Any] = {"keys": msgspec.json.encode(keys).decode()}
    else:
        values = {f"key_{at}": list(part) for at, part in enumerate(zip(*keys, strict=True))}
    statement = _lookup(tuple(wanted), tuple(by), connection.dialect.name, lock)
    rows: Sequence[RowMapping] = (await connection.execute(statement, values)).mappings().all()
    return rows


@cache
def _lookup(wanted: tuple[Column[Any], ...], by: tuple[Column[Any], ...], dialect: str, lock: bool) -> Select[Any]:  # noqa: FBT001 - a part of the cache's key
    listed = _listed_on_sqlite(len(by)) if dialect == "sqlite" else _listed_on_postgresql(by)
    here = tuple_(*by) if len(by) > 1 else by[0]
    statement = select(*wanted).where(here.in_(listed))
    return statement.with_for_update(key_share=True, of=by[0].table) if lock else statement


def _listed_on_postgresql(by: tuple[Column[Any], ...]) -> Select[Any]:
    names = [f"key_{at}" for at in range(len(by))]
    arrays = [
        bindparam(name, type_=ARRAY(BigInteger() if column.type.python_type is int else Text()))
        for name, column in zip(names, by, strict=True)
    ]
    listed = func.unnest(*arrays).table_valued(*names).render_derived()
    return select(*(listed.c[name] for name in names))


def _listed_on_sqlite(width: int) -> Select[Any]:
    listed = func.json_each(bindparam("keys", type_=Text())).table_valued("value")
    return select(*(func.json_extract(listed.c.value, f"$[{at}]") for at in range(width)))
