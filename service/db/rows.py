"""Rows for change, by id, and the columns that fill a struct."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Dialect, Insert, Table, Update, bindparam, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.exc import StaleDataError

from service.db.audit import created_changes, record_created, record_deleted, record_updated
from service.db.direct import Read, Write, key_column
from service.db.reader import AnySelect
from service.db.session import UnitSession
from service.db.sqlite.write import SqliteWrite
from service.db.values import changed_values, new_values
from service.errors import NotFound

M = TypeVar("M", bound=DeclarativeBase)
S = TypeVar("S", bound=msgspec.Struct)

AnyWrite = Write | SqliteWrite


async def get_for_update(session: AsyncSession, model: type[M], id: int, *, to_delete: bool = False) -> M:
    """Return the row, locked until the unit ends.

    A row to be changed is locked without its key (FOR NO KEY UPDATE), so that rows which refer to it can be inserted
    meanwhile. SQLite's writers have the whole file to themselves.

    Raises:
        NotFound: there is no such row.
    """
    row: M | None = await session.scalar(_loading(model, to_delete), {"id": id})
    if row is None:
        raise _missing(model, id)
    return row


async def insert_one(
    session: AsyncSession, model: type[DeclarativeBase], given: Mapping[str, Any], struct: type[S]
) -> S:
    """Insert a row of these values and return what the wire shows of it, by one INSERT … RETURNING.

    This is half the cost of a flush (docs/decisions/0006); no row enters the session.
    """
    values = new_values(model, given)
    if isinstance(session, UnitSession) and session.is_direct:
        write = _inserting_directly(model, struct, tuple(sorted(values)), session.dialect)
        shown = {name: values[name] for name in struct.__struct_fields__ if name in values}
        row = await write.run(session, values, created_changes(shown))
        assert row is not None  # noqa: S101 - an INSERT returns its row
        return struct(*row[:-1])
    stored = struct(*(await session.execute(_inserting(model, struct), values)).one())
    if session.get_bind().dialect.name == "sqlite":
        stored = await _read_again(session, model, stored)
    record_created(session, model, msgspec.structs.asdict(stored))
    return stored


async def read_for_update(session: AsyncSession, model: type[DeclarativeBase], id: int, struct: type[S]) -> S:
    """Return what the wire shows of a row, locked as by `load`; raises as `load`."""
    found: Sequence[Any] | None
    if isinstance(session, UnitSession) and session.is_direct:
        found = await _locking_directly(model, struct, session.dialect).run(session, {"id": id})
    else:
        found = (await session.execute(_locking(model, struct), {"id": id})).one_or_none()
    if found is None:
        raise _missing(model, id)
    return struct(*found)


async def update_one(session: AsyncSession, model: type[DeclarativeBase], row: S, fields: Mapping[str, Any]) -> S:
    """Give a row that is locked these fields and return what the wire shows of it then; equal values change nothing.

    Raises:
        StaleDataError: the row is not of this version any more; the unit runs again.
    """
    known: Any = row
    changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
    if not changed:
        # What is no column may be of the time before this transaction waited for its lock.
        return (
            row
            if _holds_columns_alone(model, type(row))
            else await read_for_update(session, model, known.id, type(row))
        )
    changes = {name: (getattr(row, name), value) for name, value in changed.items()}
    values = {f"new_{name}": value for name, value in changed_values(model, changed).items()}
    names = tuple(sorted(values))
    values |= {"of_id": known.id, "seen": known.version}
    stored: Sequence[Any] | None
    if isinstance(session, UnitSession) and session.is_direct:
        stored = await _updating_directly(model, type(row), names, session.dialect).run(session, values, changes)
        stored = stored and stored[:-1]
    elif stored := (await session.execute(_updating(model, type(row), names), values)).one_or_none():
        record_updated(session, model, {"id": known.id}, changes)
        if session.get_bind().dialect.name == "sqlite":
            return await _read_again(session, model, type(row)(*stored))
    if stored is None:
        raise StaleDataError(f"{model.__name__} {known.id} is not of version {known.version} any more.")
    return type(row)(*stored)


async def _read_again(session: AsyncSession, model: type[DeclarativeBase], row: S) -> S:
    """Return the row as it is stored: on SQLite RETURNING answers before AFTER triggers run."""
    known: Any = row
    return await read_for_update(session, model, known.id, type(row))


async def delete_many(session: AsyncSession, model: type[DeclarativeBase], condition: ColumnElement[bool]) -> None:
    """Delete the rows that the condition holds for, with an event for each, which a cascade would not leave."""
    table = _table(model)
    deleted = await session.execute(table.delete().where(condition).returning(*table.columns))
    for row in deleted.mappings():
        record_deleted(session, model, {**row})


def columns(model: type[Any], struct: type[msgspec.Struct], *more: str) -> AnySelect:
    """Return a select of just the columns that fill the struct, in its order; `more` follow."""
    return select(*(getattr(model, name) for name in (*struct.__struct_fields__, *more)))


def shown(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> list[Any]:
    """Return the expressions that fill the struct, in its order, for a statement on the model's table."""
    return [_column(model, name) for name in struct.__struct_fields__]


def view(struct: type[S], row: object) -> S:
    """Return what the wire shows of a row."""
    return struct(*(getattr(row, name) for name in struct.__struct_fields__))


def _missing(model: type[DeclarativeBase], id: int) -> NotFound:
    return NotFound(f"There is no {model.__name__.lower()} {id}.")


@cache
def _loading(model: Any, to_delete: bool) -> AnySelect:  # noqa: FBT001 - the cache's key
    return select(model).where(model.id == bindparam("id")).with_for_update(key_share=not to_delete)


@cache
def _inserting(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> Insert:
    return _table(model).insert().returning(*shown(model, struct))


@cache
def _locking(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> AnySelect:
    table = _table(model)
    return select(*shown(model, struct)).where(table.c.id == bindparam("id")).with_for_update(key_share=True)


@cache
def _updating(model: type[DeclarativeBase], struct: type[msgspec.Struct], names: tuple[str, ...]) -> Update:
    table = _table(model)
    values: dict[str, Any] = {name.removeprefix("new_"): bindparam(name) for name in names}
    update = table.update().where(table.c.id == bindparam("of_id"), table.c.version == bindparam("seen"))
    return update.values(version=table.c.version + 1, **values).returning(*shown(model, struct))


@cache
def _inserting_directly(model: Any, struct: type[msgspec.Struct], names: tuple[str, ...], dialect: Dialect) -> AnyWrite:
    insert = _inserting(model, struct).values({name: bindparam(name) for name in names})
    return _write(model, struct, "created", insert, dialect)


@cache
def _updating_directly(model: Any, struct: type[msgspec.Struct], names: tuple[str, ...], dialect: Dialect) -> AnyWrite:
    return _write(model, struct, "updated", _updating(model, struct, names), dialect)


def _write(
    model: Any, struct: type[msgspec.Struct], verb: str, statement: Insert | Update, dialect: Dialect
) -> AnyWrite:
    key = key_column(_table(model).c.id)
    kind = SqliteWrite if dialect.name == "sqlite" else Write
    return kind(model, verb, statement.returning(key), [*shown(model, struct), key], dialect)


@cache
def _locking_directly(model: Any, struct: type[msgspec.Struct], dialect: Dialect) -> Read:
    return Read(_locking(model, struct), shown(model, struct), dialect)


def _table(model: type[DeclarativeBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - every model here is mapped to one
    return table


def _holds_columns_alone(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> bool:
    return all(name in _table(model).c for name in struct.__struct_fields__)


def _column(model: type[DeclarativeBase], name: str) -> Any:
    columns = _table(model).c
    # What is no column of the table is an expression over its rows.
    return columns[name] if name in columns else inspect(model).column_attrs[name].expression
