"""One row for each table, inserted and updated in a transaction that is rolled back, as callers of the service do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from service.migrate.proof.verify.rows import Rows, is_unique, ordered, reflected
from service.migrate.proof.verify.samples import plain

_FAILURES = (SQLAlchemyError, OverflowError, ValueError)
_COPIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row that a table took before the upgrade, with the columns of then; `updates` if it could be updated too."""

    table: Table
    values: dict[str, Any]
    updates: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    statement: str
    why: str


def made(connection: Connection, rows: Rows) -> list[Probe]:
    """A row for each table that takes a generated one."""
    probes = []
    for table in ordered(reflected(connection)):
        for values in rows.generated(connection, table):
            failed = _tried(connection, table, values, updates=True)
            if failed is None or failed.statement == "UPDATE":
                probes.append(Probe(table=table, values=values, updates=failed is None))
                break
    return probes


def failures(connection: Connection, probes: Sequence[Probe], rows: Rows, phase: str, *, is_new: bool) -> list[str]:
    """The tables that take no row any more: with the columns of before, or `is_new` with the present ones."""
    now = {table.name: table for table in ordered(reflected(connection))} if is_new else {}
    found = []
    for probe in probes:
        table = now.get(probe.table.name) if is_new else probe.table
        if table is not None and (failed := _failed(connection, probe, table, rows)):
            verb = "INSERT INTO" if failed.statement == "INSERT" else "UPDATE"
            found.append(f"{verb} {table.name} fails after the {phase}: {failed.why}")
    return found


def _failed(connection: Connection, probe: Probe, table: Table, rows: Rows) -> _Failed | None:
    """The first failure, if no other row is taken either; a new constraint may refuse some rows."""
    first = None
    if table is probe.table:
        first = _tried(connection, table, probe.values, updates=probe.updates)
        if first is None:
            return None
    for values in _others(connection, probe, table, rows):
        failed = _tried(connection, table, values, updates=probe.updates)
        if failed is None:
            return None
        first = first or failed
    return first


def _others(connection: Connection, probe: Probe, table: Table, rows: Rows) -> Iterator[dict[str, Any]]:
    """Other rows for a table: generated ones, and copies of rows that exist with new values of unique columns."""
    inspector = inspect(connection)
    if not inspector.has_table(table.name, table.schema):
        return
    there = {each["name"] for each in inspector.get_columns(table.name, table.schema)}
    if not there.issuperset(table.columns.keys()):
        # A row without the column that is gone is not what the previous version sends.
        return
    try:
        with connection.begin_nested():
            generated = list(rows.generated(connection, table))
    except _FAILURES:
        generated = []
    # The row of before first, with values for the columns that are new.
    old = {name: value for name, value in probe.values.items() if name in table.columns}
    if generated and table is not probe.table:
        yield generated[0] | old
    yield from generated
    yield from _copies(connection, table, rows)


def _copies(connection: Connection, table: Table, rows: Rows) -> list[dict[str, Any]]:
    present = reflected(connection).tables[table.key]
    columns = [
        each
        for each in present.columns
        if each.name in table.columns
        and each.computed is None
        and not (each.identity is not None and each.identity.always)
    ]
    try:
        with connection.begin_nested():
            there = connection.execute(select(*columns).limit(_COPIES)).mappings().all()
    except _FAILURES:
        return []
    unique = [each for each in columns if is_unique(present, each) and not each.foreign_keys]
    return [{**row, **{each.name: plain(each.type)(rows.serial()) for each in unique}} for row in there]


def _tried(connection: Connection, table: Table, values: dict[str, Any], *, updates: bool) -> _Failed | None:
    """Insert and update a row, and roll back."""
    statement, savepoint = "INSERT", connection.begin_nested()
    try:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        key = connection.execute(table.insert().values(values)).inserted_primary_key
        if updates and values and key and None not in key:
            statement = "UPDATE"
            same = and_(*(column == value for column, value in zip(table.primary_key, key, strict=True)))
            connection.execute(table.update().where(same).values(values))
    except _FAILURES as failure:
        error = getattr(failure, "orig", None) or failure
        return _Failed(statement=statement, why=" ".join(str(error.__cause__ or error).split()))
    finally:
        savepoint.rollback()
    return None
