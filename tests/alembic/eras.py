"""Rows that people write at every revision, whatever tables and columns there are by then."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from service.db.folding import fold
from tests.alembic.store import Row, Store

Rows = dict[str, list[Row]]

TABLES = ("users", "records", "departments", "employees", "department_employees", "idempotency_keys")

# One value a column, for the n-th row of its table; a column that is not here has a server default.
VALUES: dict[str, Callable[[int], Any]] = {
    "address": lambda n: f"{n} Straße" if n % 2 else None,
    "active": lambda n: n % 3 > 0,
    "age": lambda n: n % 151,
    "body": lambda n: bytes([n % 256]),
    "created_at": lambda n: datetime(2026, 3, 1, 12, 0, 0, n, tzinfo=UTC),
    "date_created": lambda n: datetime(2020, 2, 29, 23, 59, 59, 999_000 + n, tzinfo=UTC),
    "description": lambda n: f"line\n{n}",
    "duration": lambda n: n * 1000 if n % 2 else None,
    "email": lambda n: f"Ünï{n}@Example.ORG",
    "email_key": lambda n: fold(f"Ünï{n}@Example.ORG"),
    "external_id": lambda n: f"key-{n}" if n % 2 else None,
    "fingerprint": lambda n: f"{n:064x}",
    "hired_on": lambda n: date(2000 + n % 30, 2, 28),
    "job_title": lambda n: "Bäcker" if n % 2 else None,
    "name": lambda n: f"ÅSE Straße {n}",
    "name_key": lambda n: fold(f"ÅSE Straße {n}"),
    "tags": lambda n: f'["a", "ü{n}"]' if n % 2 else "[]",
    "title": lambda n: f"Über {n} “Straßen”",
    "title_key": lambda n: fold(f"Über {n} “Straßen”"),
    "version": lambda n: n,
}


async def write(store: Store, era: int) -> None:
    """Two rows into each table, linked to one another where they can be; eras are numbered from 0."""
    columns = await columns_of(store)
    for table in columns:
        for row in _rows(table, era * 2 + 1, linked="department_id" in columns.get("employees", ())):
            await insert(store, table, {name: value for name, value in row.items() if name in columns[table]})


async def insert(store: Store, table: str, row: Row) -> None:
    marks = ", ".join(f"${position}" for position in range(1, len(row) + 1))
    await store.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())


async def read(store: Store) -> Rows:
    """Every row of every table, in the order of their keys."""
    return {
        table: await store.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {columns[0]}, {columns[1]}")
        for table, columns in (await columns_of(store)).items()
    }


async def columns_of(store: Store) -> dict[str, list[str]]:
    """The columns of each table there is, parents first."""
    lists = {
        "sqlite": "SELECT s.name AS t, c.name AS c FROM sqlite_schema s, pragma_table_info(s.name) c",
        "postgresql": "SELECT relname AS t, attname AS c FROM pg_attribute JOIN pg_class p ON p.oid = attrelid "
        "WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped",
    }
    found = await store.execute(lists[store.backend])
    named = {table: [row["c"] for row in found if row["t"] == table and "_trash_" not in row["c"]] for table in TABLES}
    return {table: columns for table, columns in named.items() if columns}


def _rows(table: str, first: int, *, linked: bool) -> list[Row]:
    if table == "department_employees":
        # In two departments: the lower is the one that employees.department_id names, and its trigger has linked it.
        pairs = [(first, first + 1)] if linked else [(first, first), (first, first + 1), (first + 1, first + 1)]
        return [_row(first, employee_id=employee, department_id=department) for employee, department in pairs]
    if table == "idempotency_keys":
        return [_row(n, id=f"{n:064x}") for n in (first, first + 1)]
    return [_row(n, id=n, owner_id=n, user_id=n, department_id=n) for n in (first, first + 1)]


def _row(n: int, **given: Any) -> Row:
    return {name: make(n) for name, make in VALUES.items()} | given
