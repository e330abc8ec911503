"""Rows for change, and the columns that fill a struct."""

from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from service.db.reader import AnySelect
from service.errors import NotFound

M = TypeVar("M", bound=DeclarativeBase)
S = TypeVar("S", bound=msgspec.Struct)


async def load(session: AsyncSession, model: type[M], id: int, *, to_delete: bool = False) -> M:
    """Return the row, locked until the unit ends.

    A row to be changed is locked without its key (FOR NO KEY UPDATE), so that rows which refer to it can be inserted
    meanwhile. SQLite's writers have the whole file to themselves.

    Raises:
        NotFound: there is no such row.
    """
    row: M | None = await session.scalar(_locking(model, to_delete), {"id": id})
    if row is None:
        raise NotFound(f"There is no {model.__name__.lower()} {id}.")
    return row


@cache
def _locking(model: Any, to_delete: bool) -> AnySelect:  # noqa: FBT001 - the cache's key
    return select(model).where(model.id == bindparam("id")).with_for_update(key_share=not to_delete)


def columns(model: type[Any], struct: type[msgspec.Struct], *more: str) -> AnySelect:
    """Return a select of just the columns that fill the struct, in its order; `more` follow."""
    return select(*(getattr(model, name) for name in (*struct.__struct_fields__, *more)))


def view(struct: type[S], row: object) -> S:
    """Return what the wire shows of a row."""
    return struct(*(getattr(row, name) for name in struct.__struct_fields__))
