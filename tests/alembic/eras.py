"""Rows for the tables and columns that a database has at a given revision."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from service.db.folding import fold
from tests.alembic.store import Row, Store

Rows = dict[str, list[Row]]

TABLES = (
    *("users", "records", "departments", "employees", "department_employees", "idempotency_keys"),
    *("preferences", "roles", "user_roles", "credentials", "tokens", "logins", "events"),
)

# One value a column, for the n-th row of its table; a column that is not here has a server default.
VALUES: dict[str, Callable[[int], Any]] = {
    "action": lambda n: "user.updated",
    "actor_id": lambda n: n if n % 2 else None,
    "address": lambda n: f"{n} Straße" if n % 2 else None,
    "active": lambda n: n % 3 > 0,
    "agent": lambda n: f"curl/8.{n}",
    "age": lambda n: n % 151,
    "body": lambda n: bytes([n % 256]),
    "built_in": lambda n: False,
    "changed_at": lambda n: datetime(2026, 11, 28, 12, 0, 0, n, tzinfo=UTC),
    "changes": lambda n: f'{{"name":["ü{n}",null]}}',
    "created_at": lambda n: datetime(2026, 3, 1, 12, 0, 0, n, tzinfo=UTC),
    "date_created": lambda n: datetime(2020, 2, 29, 23, 59, 59, 999_000 + n, tzinfo=UTC),
    "description": lambda n: f"line\n{n}",
    "digest": lambda n: n.to_bytes(32),
    "document": lambda n: f'{{"ü":[{n}.0,1e400,null]}}',
    "duration": lambda n: n * 1000 if n % 2 else None,
    "email": lambda n: f"Ünï{n}@Example.ORG",
    "email_key": lambda n: fold(f"Ünï{n}@Example.ORG"),
    "expires_at": lambda n: datetime(2027, 1, 1, 0, 0, 0, n, tzinfo=UTC) if n % 2 else None,
    "external_id": lambda n: f"key-{n}" if n % 2 else None,
    "fingerprint": lambda n: f"{n:064x}",
    "hired_on": lambda n: date(2000 + n % 30, 2, 28),
    "job_title": lambda n: "Bäcker" if n % 2 else None,
    "kind": lambda n: ("token", "session", "link")[n % 3],
    "last_used_at": lambda n: None,
    "name": lambda n: f"ÅSE Straße {n}",
    "name_key": lambda n: fold(f"ÅSE Straße {n}"),
    "network": lambda n: f"192.0.2.{n % 256}",
    "outcome": lambda n: ("ok", "wrong", "unknown", "inactive", "throttled")[n % 5],
    "password_hash": lambda n: f"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${n}",
    "permissions": lambda n: '["users.read"]' if n % 2 else "[]",
    "request_id": lambda n: f"{n:032x}",
    "resource": lambda n: "users" if n % 2 else "roles",
    "resource_id": lambda n: n if n % 2 else None,
    "resource_key": lambda n: None if n % 2 else f"role-{n}",
    "revoked_at": lambda n: datetime(2026, 12, 1, 0, 0, 0, n, tzinfo=UTC) if n % 2 else None,
    "tags": lambda n: f'["a", "ü{n}"]' if n % 2 else "[]",
    "title": lambda n: f"Über {n} “Straßen”",
    "title_key": lambda n: fold(f"Über {n} “Straßen”"),
    "token_id": lambda n: n if n % 2 else None,
    "transaction_id": lambda n: n,
    "updated_at": lambda n: datetime(2026, 3, 2, 12, 0, 0, n, tzinfo=UTC),
    "version": lambda n: n,
    "via": lambda n: "api",
}


async def write(store: Store, era: int) -> None:
    """Two rows into each table, linked to one another where they can be; eras are numbered from 0."""
    columns = await columns_of(store)
    for table, names in columns.items():
        rows = _rows(table, era * 2 + 1, linked="department_id" in columns.get("employees", ()))
        await insert_many(store, table, [{name: row[name] for name in row if name in names} for row in rows])


async def insert(store: Store, table: str, row: Row) -> None:
    await insert_many(store, table, [row])


async def insert_many(store: Store, table: str, rows: list[Row]) -> None:
    """Insert rows with values for the same columns."""
    if rows:
        marks = ", ".join(f"${position}" for position in range(1, len(rows[0]) + 1))
        statement = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({marks})"
        await store.execute_many(statement, [[*row.values()] for row in rows])


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
    if table == "logins":
        return [_row(n, id=n, user_id=n, address=f"192.0.2.{n % 256}") for n in (first, first + 1)]
    return [_row(n, id=n, owner_id=n, user_id=n, role_id=n, department_id=n) for n in (first, first + 1)]


def _row(n: int, **given: Any) -> Row:
    return {name: make(n) for name, make in VALUES.items()} | given
