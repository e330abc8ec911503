"""Foreign keys of a batch: external ids resolved to ids, and rows that do not exist."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk
from service.errors import Fault
from service.http.transfer.lines import Line
from service.http.transfer.spec import Import, Reference


async def resolve(
    session: AsyncSession, declared: Import, lines: Sequence[Line], *, verify: bool
) -> dict[int, list[Fault]]:
    """Set the ids of rows whose lines give external ids; return the missing references by number of the line.

    With `verify`, rows that are referenced by their ids are looked up too.
    """
    missing: dict[int, list[Fault]] = {}
    for reference in declared.references:
        at = declared.columns.index(reference.column.name)
        external = await _externals(session, reference, lines)
        named = {id for line in lines if (id := line.row[at]) is not None} if verify else set()
        found = await _ids(session, reference, named)
        for line in lines:
            fault = _refer(reference, line, at, external, found if verify else None)
            if fault is not None:
                missing.setdefault(line.number, []).append(fault)
    return missing


async def _externals(session: AsyncSession, reference: Reference, lines: Sequence[Line]) -> dict[str, int]:
    if reference.external is None:
        return {}
    named = {text for line in lines if (text := _text(line, reference.external)) is not None}
    if not named:
        return {}
    columns = [reference.target.c.id, reference.target.c.external_id]
    rows = await bulk.find(session, columns, columns[1:], [(text,) for text in named])
    return {row["external_id"]: row["id"] for row in rows}


async def _ids(session: AsyncSession, reference: Reference, named: set[Any]) -> set[int]:
    if not named:
        return set()
    columns = [reference.target.c.id]
    return {row["id"] for row in await bulk.find(session, columns, columns, [(id,) for id in named])}


def _refer(
    reference: Reference, line: Line, at: int, external: Mapping[str, int], found: set[int] | None
) -> Fault | None:
    name = reference.column.name
    text = None if reference.external is None else _text(line, reference.external)
    if text is not None:
        line.row[at] = external.get(text)
        if line.row[at] is None:
            return Fault(field=reference.external, detail=reference.missing.replace("this id", "this external_id"))
    elif line.row[at] is None:
        if not reference.column.nullable:
            return Fault(field=name, detail=f"{name} or {reference.external} is required.")
    elif found is not None and line.row[at] not in found:
        return Fault(field=name, detail=reference.missing)
    return None


def _text(line: Line, field: str) -> str | None:
    text = getattr(line.value, field)
    return None if text is UNSET else text
