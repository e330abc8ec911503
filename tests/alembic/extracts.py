"""Real names, tracks and departments, for the columns that a database has."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.db.folding import fold
from tests.alembic import eras
from tests.alembic.store import Row, Store

Columns = Mapping[str, Sequence[str]]

DATA = Path(__file__).parents[1] / "data"
MOMENT = datetime(2026, 3, 1, 9, tzinfo=UTC)
_TITLE = 100
# Values of the columns that the extracts do not have.
KEYS = {"name": "name_key", "email": "email_key", "title": "title_key"}


async def write(store: Store, since: Columns = MappingProxyType({})) -> None:
    """The rows of every extract whose table is there, numbered in their order, linked as they are in reality.

    Titles are cut where every revision has room for them. A database that has the rows already, written when it had the
    columns `since`, gets the values of the others.
    """
    columns = await eras.columns_of(store)
    for table, names in columns.items():
        rows = [*_rows(table)]
        if table in since:
            new = [name for name in names if name not in since[table]]
            await _update(store, table, [{name: row[name] for name in ("id", *new) if name in row} for row in rows])
            continue
        if table == "department_employees" and "department_id" in columns["employees"]:
            # The trigger has made the link of the department in the column.
            rows = [row for row in rows if row["department_id"] != _departments()[row["employee_id"]][0]]
        await eras.insert_many(store, table, [{name: row[name] for name in row if name in names} for row in rows])


async def _update(store: Store, table: str, rows: list[Row]) -> None:
    """Set the values of these rows, except of links, whose other columns all have their defaults."""
    if rows and len(rows[0]) > 1 and "id" in rows[0]:
        values = ", ".join(f"{name} = ${number}" for number, name in enumerate(rows[0], start=1))
        await store.execute_many(f"UPDATE {table} SET {values} WHERE id = $1", [[*row.values()] for row in rows])


def _rows(table: str) -> Iterator[Row]:
    """The rows of one table, with values for every column that it has at any revision."""
    if table == "department_employees":
        for employee, departments in _departments().items():
            for department in departments:
                yield {"employee_id": employee, "department_id": department, "version": 1}
        return
    if not _path(table).exists():
        return
    for number, line in enumerate(_lines(table), start=1):
        row: dict[str, Any] = {"id": number, "created_at": MOMENT, "updated_at": MOMENT, **line}
        if table == "records":
            row |= {"title": line["title"][:_TITLE], "duration": int(line["duration"]), "date_created": MOMENT}
        if table == "employees":
            row |= {"hired_on": date.fromisoformat(line["hired_on"]), "department_id": _departments()[number][0]}
        yield row | {key: fold(row[name]) for name, key in KEYS.items() if name in row}


@cache
def _departments() -> dict[int, list[int]]:
    """The departments that each employee has been in."""
    ids = {
        table: {line["external_id"]: n for n, line in enumerate(_lines(table), start=1)}
        for table in ("departments", "employees")
    }
    found: dict[int, list[int]] = {}
    for line in _lines("department_employees"):
        employee = ids["employees"][line["employee_external_id"]]
        found.setdefault(employee, []).append(ids["departments"][line["department_external_id"]])
    return found


@cache
def _lines(table: str) -> list[dict[str, str]]:
    with _path(table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _path(table: str) -> Path:
    return DATA / f"{table}.csv"
