from collections.abc import Iterator
from datetime import date
from itertools import count
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    delete,
    insert,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from service.app import Roster
from service.db.clock import now
from service.db.uow import Units
from service.errors import Conflict
from service.models import Base
from tests.db.tables import Mark, Pledge

BROKEN: dict[str, Any] = {
    "ck_users_age": {"age": 151},
    "ck_records_duration": {"duration": -1},
    "ck_tokens_kind": {"kind": "cookie"},
    "ck_logins_outcome": {"outcome": "maybe"},
    "ck_events_via": {"via": "mail"},
}
# Of the columns that take certain words alone.
WORDS = {"kind": "token", "outcome": "ok", "via": "api"}
SAMPLES: dict[type, Any] = {int: 7, bool: True, bytes: b"bytes", date: date(2026, 3, 1)}
numbers = count(1000)


def constraints(kind: type[Constraint]) -> list[Any]:
    found = [each for table in Base.metadata.sorted_tables for each in table.constraints if type(each) is kind]
    return sorted(found, key=lambda each: str(each.name))


def required() -> Iterator[Any]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if not column.nullable and not is_numbered(column):
                yield pytest.param(column, id=str(column))


def named(kind: type[Constraint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("constraint", constraints(kind), ids=lambda each: str(each.name))


def row(table: Table) -> dict[str, Any]:
    """A row that every constraint accepts but the foreign keys."""
    return {column.name: sample(column) for column in table.columns if not column.nullable and column.identity is None}


def is_numbered(column: Column[Any]) -> bool:
    """Whether a database has a value where none is given: SQLite does for every integer that is a key by itself."""
    key = column.table.primary_key.columns
    return column.identity is not None or (key.keys() == [column.name] and column.type.python_type is int)


def sample(column: Column[Any]) -> Any:
    if column.name in WORDS:
        return WORDS[column.name]
    kind = column.type.python_type
    if kind.__name__ == "datetime":
        return now()
    return f"{next(numbers)}" if kind is str else SAMPLES.get(kind, [])


def needed(column: Column[Any], constraint: Any) -> bool:
    return not column.nullable or column.name in constraint.columns


async def parents(session: AsyncSession, constraint: Any) -> dict[str, Any]:
    """Insert what a row must refer to, its own constraint apart, and return the columns that do so."""
    values: dict[str, Any] = {}
    for key in constraint.table.foreign_key_constraints:
        if key is constraint or not any(needed(column, constraint) for column in key.columns):
            continue
        values |= await refer(session, key)
    return values


async def refer(session: AsyncSession, key: ForeignKeyConstraint) -> dict[str, Any]:
    """Insert a row for the key to refer to, and return the columns that do so."""
    inserted: Any = await session.execute(insert(key.referred_table).values(row(key.referred_table)))
    return {column.name: inserted.inserted_primary_key[0] for column in key.columns}


async def refused(roster: Roster, constraint: Any, *changes: dict[str, Any]) -> Conflict:
    """The conflict that storing rows with these changes meets."""

    async def work(session: AsyncSession) -> None:
        keys = await parents(session, constraint)
        for changed in changes:
            await session.execute(insert(constraint.table).values(row(constraint.table) | keys | changed))

    with pytest.raises(Conflict) as conflict:
        await roster.database.units.run(work)
    return conflict.value


def values_of(constraint: Any) -> dict[str, Any]:
    return {column.name: sample(column) for column in constraint.columns if not column.foreign_keys}


def field_of(constraint: Any) -> str:
    field: str = constraint.info.get("field") or next(iter(constraint.columns)).name
    return field


@named(UniqueConstraint)
async def test_a_value_that_must_be_unique_names_its_field(roster: Roster, constraint: UniqueConstraint) -> None:
    twice = values_of(constraint)
    conflict = await refused(roster, constraint, twice, twice)
    assert conflict.field == field_of(constraint)
    assert conflict.detail == f"Another {constraint.table.name.removesuffix('s')} has this {conflict.field}."


@named(PrimaryKeyConstraint)
async def test_a_key_given_twice_names_its_columns(roster: Roster, constraint: PrimaryKeyConstraint) -> None:
    twice = values_of(constraint)
    conflict = await refused(roster, constraint, twice, twice)
    names = [column.name for column in constraint.columns]
    assert conflict.field == names[0]
    assert conflict.detail.endswith(f"has this {' and '.join(names)}.")


@named(ForeignKeyConstraint)
async def test_a_reference_to_nothing_names_its_field(roster: Roster, constraint: ForeignKeyConstraint) -> None:
    conflict = await refused(roster, constraint, {column.name: 10**12 for column in constraint.columns})
    assert conflict.field == field_of(constraint)
    assert conflict.detail == f"There is no {constraint.referred_table.name.removesuffix('s')} with this id."


@named(ForeignKeyConstraint)
async def test_a_reference_changed_to_nothing_names_its_field(roster: Roster, constraint: ForeignKeyConstraint) -> None:
    nowhere = {column.name: 10**12 for column in constraint.columns}

    async def work(session: AsyncSession) -> None:
        keys: dict[str, Any] = {}
        for key in constraint.table.foreign_key_constraints:
            keys |= await refer(session, key)
        await session.execute(insert(constraint.table).values(row(constraint.table) | keys))
        await session.execute(update(constraint.table).values(nowhere))

    with pytest.raises(Conflict) as conflict:
        await roster.database.units.run(work)
    assert conflict.value.field == field_of(constraint)


@named(CheckConstraint)
async def test_a_value_out_of_bounds_names_its_field(roster: Roster, constraint: CheckConstraint) -> None:
    broken = BROKEN[str(constraint.name)]
    conflict = await refused(roster, constraint, broken)
    assert [conflict.field] == list(broken)
    assert conflict.detail == f"The value of {conflict.field} is out of bounds."


@pytest.mark.parametrize("column", list(required()))
async def test_a_value_that_is_missing_names_its_field(roster: Roster, column: Column[Any]) -> None:
    conflict = await refused(roster, column.table.primary_key, {column.name: None})
    assert conflict.field == column.name.removesuffix("_key")
    assert conflict.detail == f"A value for {conflict.field} is required."


async def test_a_row_that_others_refer_to_is_not_deleted(units: Units) -> None:
    async def work(session: AsyncSession) -> None:
        session.add(Pledge(mark=Mark(text="needed")))
        await session.flush()
        await session.execute(delete(Mark))

    with pytest.raises(Conflict, match="Something else still refers to it"):
        await units.run(work)
