"""The rows of the benchmark, equal in every run but for the token."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from service.db.folding import fold
from service.http.auth.token_text import digest, new_token

# The token of one user with the role viewer: without an administrator a request with no token is answered too.
TOKEN = new_token()
_VIEWER = 3
DEPARTMENTS = 9
# Every id has seven digits, so that pages have the same length at any depth.
FIRST_USER = 1_000_001
_EPOCH = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
_FIRST_DAY = date(1990, 1, 1)
_GIVEN = ("Ada", "Grace", "Émilie", "Katherine", "Sofja", "Hedy", "Lise", "Mary", "Ángela", "Barbara")
_FAMILY = ("Lovelace", "Hopper", "du Châtelet", "Johnson", "Kowalewskaja", "Lamarr", "Meitner", "Jackson", "Ruiz")

Row = dict[str, Any]


def users(count: int) -> Iterator[Row]:
    for id in range(FIRST_USER, FIRST_USER + count):
        name = f"{_GIVEN[id % len(_GIVEN)]} {_FAMILY[id % len(_FAMILY)]}"
        email = f"User{id:07d}@example.org"
        yield {
            "id": id,
            "external_id": f"crm:{id}",
            "name": name,
            "email": email,
            "age": 18 + id % 60,
            "address": f"{id % 200} Rue de l'Université, 75007 Paris" if id % 3 else None,
            "active": id % 10 > 0,
            "name_key": fold(name),
            "email_key": fold(email),
        } | _tracked(id)


def user_roles() -> Iterator[Row]:
    yield {"user_id": FIRST_USER, "role_id": _VIEWER, "created_at": _EPOCH}


def tokens() -> Iterator[Row]:
    yield {"id": 1, "user_id": FIRST_USER, "kind": "token", "name": "bench", "digest": digest(TOKEN)} | _tracked(1)


def departments() -> Iterator[Row]:
    for id in range(1, DEPARTMENTS + 1):
        name = f"Department {id}"
        yield {"id": id, "name": name, "external_id": f"dept:{id}", "name_key": fold(name)} | _tracked(id)


def employees(count: int) -> Iterator[Row]:
    for id in range(1, count + 1):
        name = f"{_GIVEN[id % len(_GIVEN)]} {_FAMILY[id % len(_FAMILY)]}"
        hired_on = _FIRST_DAY + timedelta(days=id % 9000)
        yield {
            "id": id,
            "external_id": f"emp:{id}",
            "name": name,
            "job_title": "Engineer" if id % 2 else None,
            "hired_on": hired_on,
            "name_key": fold(name),
        } | _tracked(id)


def links(employees: int) -> Iterator[Row]:
    """One department for each employee, and a second one for every fourth."""
    for id in range(1, employees + 1):
        for department_id in (
            {1 + id % DEPARTMENTS, 1 + id * 7 % DEPARTMENTS} if id % 4 == 0 else {1 + id % DEPARTMENTS}
        ):
            from_date = _FIRST_DAY + timedelta(days=id % 9000)
            yield {"department_id": department_id, "employee_id": id, "from_date": from_date} | _tracked(id)


def _tracked(id: int) -> Row:
    moment = _EPOCH + timedelta(milliseconds=id)
    return {"version": 1, "created_at": moment, "updated_at": moment}


def as_csv(rows: Iterator[Row]) -> bytes:
    """Return users as a CSV file to import."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["external_id", "name", "email", "age", "address"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
