"""The nouns for parametrised tests: input, output, sort fields."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Noun:
    """One noun: the shortest and the fullest thing to send, what is shown of fields not sent, and a change."""

    name: str
    least: Document
    most: Document
    unsent: Document
    change: Document
    # The field that holds its name, and the sort and search that go by it.
    called: str = "name"

    @property
    def path(self) -> str:
        return f"/v1/{self.name}"

    @property
    def one(self) -> str:
        return self.name.removesuffix("s")

    def shown(self, id: int, **fields: Any) -> Document:
        """What is shown of a new one with these fields."""
        return {**self.unsent, **fields, "id": id, "version": 1, "created_at": MOMENT, "updated_at": MOMENT}


class _AnyMoment:
    """Equal to every time as the service writes it: RFC 3339, in UTC."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and _RFC_3339_UTC.fullmatch(other) is not None

    def __hash__(self) -> int:
        return hash(_RFC_3339_UTC)

    def __repr__(self) -> str:
        return "MOMENT"


_RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
MOMENT = _AnyMoment()

# A letter of four bytes, and one of two code points.
ASTRAL = "\U0001d49c"
COMBINED = "e\u0301"

USERS = Noun(
    name="users",
    least={"name": "Ann", "email": "ann@example.org"},
    most={
        "name": ASTRAL * 50,
        "email": "a" * 242 + "@example.org",
        "external_id": "k" * 100,
        "age": 150,
        "address": COMBINED * 50,
        "active": False,
    },
    unsent={
        "external_id": None,
        "age": None,
        "address": None,
        "active": True,
        "roles": [],
    },
    change={"name": "Änne", "age": 41},
)
RECORDS = Noun(
    name="records",
    least={"title": "Bells"},
    most={
        "title": ASTRAL * 200,
        "external_id": "k" * 100,
        "duration": 2**31 - 1,
        "date_created": "9999-12-30T23:59:59.999999Z",
        "owner_id": None,
        "description": "a\tb\r\n" * 400,
        "tags": [ASTRAL * 50] * 20,
    },
    unsent={
        "external_id": None,
        "duration": None,
        "date_created": MOMENT,
        "owner_id": None,
        "description": None,
        "tags": [],
    },
    change={"title": "Bells again", "tags": ["loud"]},
    called="title",
)
DEPARTMENTS = Noun(
    name="departments",
    least={"name": "Research"},
    most={"name": ASTRAL * 100, "external_id": "k" * 100, "description": COMBINED * 1000},
    unsent={"external_id": None, "description": None},
    change={"name": "Search", "description": "once more"},
)
EMPLOYEES = Noun(
    name="employees",
    least={"name": "Bob"},
    most={
        "name": ASTRAL * 100,
        "external_id": "k" * 100,
        "user_id": None,
        "job_title": COMBINED * 50,
        "hired_on": "9999-12-31",
    },
    unsent={"external_id": None, "user_id": None, "job_title": None, "hired_on": None},
    change={"job_title": "Cook", "hired_on": "2024-02-29"},
)
NOUNS = {
    each.name: each
    for each in (
        USERS,
        RECORDS,
        DEPARTMENTS,
        EMPLOYEES,
    )
}


def problem(answer: httpx.Response) -> Document:
    """The problem document of an answer, without the request id, once it is sure that it is one."""
    document: Document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert document.pop("request_id") == answer.headers["x-request-id"]
    assert document["status"] == answer.status_code
    return document


def not_found(detail: str = "There is nothing at this address.") -> Document:
    return {"type": "urn:roster:problem:not-found", "title": "Not Found", "status": 404, "detail": detail}


def conflict(detail: str, field: str) -> Document:
    type = "urn:roster:problem:conflict"
    return {"type": type, "title": "Conflict", "status": 409, "detail": detail, "field": field}


def stale(detail: str = "The resource was changed since this version; read it again.") -> Document:
    return {"type": "urn:roster:problem:stale", "title": "Precondition Failed", "status": 412, "detail": detail}


def malformed(detail: str) -> Document:
    return {"type": "urn:roster:problem:malformed", "title": "Bad Request", "status": 400, "detail": detail}


def invalid(*errors: Document) -> Document:
    return {
        "type": "urn:roster:problem:invalid",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The request is not valid; see errors.",
        "errors": list(errors),
    }
