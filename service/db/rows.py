"""Rows for change, by id, and the columns that fill a struct."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Executable, Table, bindparam, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.exc import StaleDataError

from service.db.audit import record_created, record_deleted, record_updated
from service.db.reader import AnySelect
from service.errors import NotFound

M = TypeVar("M", bound=DeclarativeBase)
S = TypeVar("S", bound=msgspec.Struct)


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


async def insert_one(session: AsyncSession, row: DeclarativeBase, struct: type[S]) -> S:
    """Insert a new row and return what the wire shows of it, by one INSERT … RETURNING.

    This is half the cost of a flush (docs/decisions/0006); the row itself stays out of the session.
    """
    stored = struct(*(await session.execute(_inserting(type(row), struct), _values(row))).one())
    record_created(session, type(row), msgspec.structs.asdict(stored))
    return stored


async def read_for_update(session: AsyncSession, model: type[DeclarativeBase], id: int, struct: type[S]) -> S:
    """Return what the wire shows of a row, locked as by `load`; raises as `load`."""
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
    values = {f"new_{name}": value for name, value in _values(model(**changed)).items()}
    update = _updating(model, type(row), tuple(sorted(values)))
    stored = (await session.execute(update, {"of_id": known.id, "seen": known.version, **values})).one_or_none()
    if stored is None:
        raise StaleDataError(f"{model.__name__} {known.id} is not of version {known.version} any more.")
    record_updated(session, model, {"id": known.id}, {name: (getattr(row, name), changed[name]) for name in changed})
    return type(row)(*stored)


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


def _values(row: DeclarativeBase) -> dict[str, Any]:
    """The columns that were set, with what the model itself derives from them."""
    return {name: value for name, value in inspect(row).dict.items() if name != "_sa_instance_state"}


@cache
def _loading(model: Any, to_delete: bool) -> AnySelect:  # noqa: FBT001 - the cache's key
    return select(model).where(model.id == bindparam("id")).with_for_update(key_share=not to_delete)


@cache
def _inserting(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> Executable:
    table = _table(model)
    return table.insert().returning(*shown(model, struct))


@cache
def _locking(model: type[DeclarativeBase], struct: type[msgspec.Struct]) -> AnySelect:
    table = _table(model)
    return select(*shown(model, struct)).where(table.c.id == bindparam("id")).with_for_update(key_share=True)


@cache
def _updating(model: type[DeclarativeBase], struct: type[msgspec.Struct], names: tuple[str, ...]) -> Executable:
    table = _table(model)
    values: dict[str, Any] = {name.removeprefix("new_"): bindparam(name) for name in names}
    update = table.update().where(table.c.id == bindparam("of_id"), table.c.version == bindparam("seen"))
    return update.values(version=table.c.version + 1, **values).returning(*shown(model, struct))


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
