"""What callers of the service do: read tables and views, insert and update a row; all of it is rolled back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Table, and_, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from service.migrate.dialects import ddl
from service.migrate.errors import reason
from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.verify import shapes
from service.migrate.proof.verify.checks import is_unique
from service.migrate.proof.verify.row_maker import is_written
from service.migrate.proof.verify.rows import Rows, ordered, reflected
from service.migrate.proof.verify.samples import plain
from service.migrate.proof.verify.shapes import WHOLE, Shape

_FAILURES = (SQLAlchemyError, OverflowError, ValueError)
_COPIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row that a table took before the upgrade, with the columns of then; `updates` if it could be updated too.

    `shape` is what of the values it had.
    """

    table: Table
    values: dict[str, Any]
    updates: bool
    shape: Shape = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The rows of each table, whole ones first, and a SELECT of each view and of unwritten columns, by its name."""

    rows: Sequence[Probe] = ()
    reads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    statement: str
    why: str


def made(connection: Connection, rows: Rows) -> Probes:
    """Rows for each table that takes a generated one, and what is read beside."""
    found: list[Probe] = []
    reads = {}
    for table in ordered(reflected(connection)):
        generated = (_probe(connection, table, values, WHOLE) for values in rows.generated(connection, table))
        if whole := next(filter(None, generated), None):
            found.append(whole)
            for levels in (shapes.of_nulls(table), shapes.of_required(table)):
                found += _taken(connection, whole, levels)
        if unwritten := [each.name for each in table.columns if not is_written(each)]:
            reads[table.name] = _select(table.name, unwritten)
    inspector = inspect(connection)
    for name in inspector.get_view_names():
        # SQLite keeps a view of tables that are gone, and cannot tell its columns.
        with suppress(*_FAILURES), connection.begin_nested():
            if not is_own(name):
                reads[name] = _select(name, [each["name"] for each in inspector.get_columns(name)])
    return Probes(rows=found, reads={name: each for name, each in reads.items() if not _reading(connection, each)})


def _taken(connection: Connection, whole: Probe, levels: Iterator[tuple[Shape, ...]]) -> list[Probe]:
    """The rows of the first level of which the table takes any."""
    for level in levels:
        tried = (_probe(connection, whole.table, whole.values, shape) for shape in level)
        if found := list(filter(None, tried)):
            return found
    return []


def _probe(connection: Connection, table: Table, values: dict[str, Any], shape: Shape) -> Probe | None:
    failed = _tried(connection, table, shape.of(values), updates=True)
    if failed is not None and failed.statement == "INSERT":
        return None
    return Probe(table=table, values=values, updates=failed is None, shape=shape)


def failures(connection: Connection, probes: Probes, rows: Rows, phase: str, *, is_new: bool) -> list[str]:
    """The tables that take no row any more: with the columns of before, or `is_new` with the present ones."""
    now = {table.name: table for table in ordered(reflected(connection))} if is_new else {}
    found: dict[tuple[str, str], str] = {}
    refused: set[str] = set()
    for probe in probes.rows:
        table = now.get(probe.table.name) if is_new else probe.table
        # What the new version leaves out is not known; and a table that takes no whole row takes no part of one.
        if table is None or table.key in refused or (is_new and probe.shape != WHOLE):
            continue
        if failed := _failed(connection, probe, table, rows):
            shape, failed = _smallest(connection, probe, failed, rows)
            refused |= {table.key} if shape == WHOLE else set()
            verb = "INSERT INTO" if failed.statement == "INSERT" else "UPDATE"
            sentence = f"{verb} {table.name}{shape} fails after the {phase}: {failed.why}"
            found.setdefault((table.key, failed.why), sentence)
    for name, statement in probes.reads.items():
        if not is_new and (why := _reading(connection, statement)):
            found[name, why] = f"SELECT FROM {name} fails after the {phase}: {why}"
    return list(found.values())


def _smallest(connection: Connection, probe: Probe, failed: _Failed, rows: Rows) -> tuple[Shape, _Failed]:
    """The one column that the row is refused for, if there is one, and the failure."""
    for shape in probe.shape.parts():
        if alone := _failed(connection, replace(probe, shape=shape), probe.table, rows):
            return shape, alone
    return probe.shape, failed


def _select(name: str, columns: Sequence[str]) -> str:
    # SQLite takes an unknown name in quotation marks for a text, unless its table is named.
    table = ddl.quoted(name)
    return f"SELECT {', '.join(f'{table}.{ddl.quoted(each)}' for each in columns)} FROM {table} LIMIT 1"


def _reading(connection: Connection, statement: str) -> str:
    """Why a statement that reads fails; empty if it does not."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement).all()
    except _FAILURES as failure:
        return reason(failure)
    return ""


def _failed(connection: Connection, probe: Probe, table: Table, rows: Rows) -> _Failed | None:
    """The first failure, if no other row is taken either; a new constraint may refuse some rows."""
    first = None
    if table is probe.table:
        first = _tried(connection, table, probe.shape.of(probe.values), updates=probe.updates)
        if first is None:
            return None
    for values in _others(connection, probe, table, rows):
        failed = _tried(connection, table, probe.shape.of(values), updates=probe.updates)
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
    columns = [each for each in present.columns if each.name in table.columns and is_written(each)]
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
        return _Failed(statement=statement, why=reason(failure))
    finally:
        savepoint.rollback()
    return None
