"""What every field of every noun takes and refuses, at its edges."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from service.department_employees import schemas as links
from service.departments import schemas as departments
from service.employees import schemas as employees
from service.errors import Fault, Invalid
from service.http.wire import Body
from service.records import schemas as records
from service.users import schemas as users
from tests.nouns import ASTRAL, COMBINED

Values = tuple[list[Any], list[Any]]
NO_TEXT = [3, 3.0, True, ["a"], {"a": 1}]
CONTROLS = [f"a{chr(code)}b" for code in (*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x80, 0x85, 0x9F)]
BREAKS = ["a\tb", "a\nb", "a\rb", "a\n", "\n"]
BLANKS = ["", " ", "   ", "\u00a0", " \u2003 ", "\u3000"]
NO_DATES = ["2023-02-29", "2023-02-30", "2023-13-01", "0000-01-01", "10000-01-01", "2023-1-1", "20230101", ""]
NO_NUMBER = ["3", "", 3.5, True, [3], {}]


def text(least: int, most: int, *, good: list[str], bad: list[str]) -> Values:
    widest = ["a" * most, ASTRAL * most, COMBINED * (most // 2)]
    shortest = ["a" * least, ASTRAL * least] if least else [""]
    return [*shortest, *widest, *good], [*(each + "a" for each in widest[:2]), *CONTROLS, *bad, *NO_TEXT]


def line(most: int) -> Values:
    return text(1, most, good=[" a ", "O'Neil; DROP TABLE", "%_\\"], bad=[*BREAKS, *BLANKS])


def number(least: int, most: int) -> Values:
    return [least, most, 7.0], [least - 1, most + 1, 2**63, 2**64, -(2**63), 10**400, 1e30, *NO_NUMBER]


def optional(values: Values) -> Values:
    return [*values[0], None], values[1]


def required(values: Values) -> Values:
    return values[0], [*values[1], None]


EXTERNAL_ID = optional(text(1, 100, good=["a/b?c#d%"], bad=["", "a b", " ", "a\u00a0b", *BREAKS]))
DESCRIPTION = optional(text(0, 2000, good=[" ", "a\tb\r\nc\n"], bad=[]))
REF = optional(number(1, 2**63 - 1))
DATES = optional((["2024-02-29", "0001-01-01", "9999-12-31"], [*NO_DATES, "2023-01-01T00:00:00Z", "today", *NO_TEXT]))
MOMENTS = required(
    (
        [
            *("2023-01-01T00:00:00Z", "2023-01-01T00:00:00.123456+23:59", "2024-02-29T12:00:00-00:00"),
            *("0001-01-02T00:00:00Z", "9999-12-30T23:59:59.999999Z", "9999-12-31T01:00:00+02:00"),
        ],
        [
            *(f"{day}T00:00:00Z" for day in NO_DATES),
            *("2023-01-01", "2023-01-01T00:00:00", "2023-01-01T24:00:00Z", "2023-01-01T23:59:60Z"),
            *("0001-01-01T00:00:00Z", "0001-01-02T00:00:00+00:01", "0001-01-01T00:00:00+23:59"),
            *("9999-12-31T00:00:00Z", "9999-12-30T23:59:59.999999-00:01", "9999-12-31T23:59:59-23:59"),
            *("2023-01-01T00:00:00Z\n", "now", 0, *NO_TEXT),
        ],
    )
)
TAG = line(50)
TAGS = required(
    ([[], ["a"] * 20, *([each] for each in TAG[0])], [["a"] * 21, "a", {}, 1, *([each] for each in TAG[1])])
)
EMAIL = required(
    (
        ["a@b", "a" * 252 + "@b", ASTRAL * 252 + "@b", "\u00c4.b+c@ex-ample.org"],
        [
            *("a" * 253 + "@b", ASTRAL * 253 + "@b", "a@", "@b", "ab", "a b@c", "a@b@c", "a@b ", "a@b\n", "\u00a0@b"),
            *(f"{each}@b" for each in CONTROLS),
            *NO_TEXT,
        ],
    )
)

FIELDS: dict[type[msgspec.Struct], dict[str, Values]] = {
    users.UserCreate: {
        "name": required(line(50)),
        "email": EMAIL,
        "external_id": EXTERNAL_ID,
        "age": optional(number(0, 150)),
        "address": optional(text(0, 100, good=["", " "], bad=BREAKS)),
        "active": required(([True, False], ["true", 1, 0, "", []])),
    },
    records.RecordCreate: {
        "title": required(line(200)),
        "external_id": EXTERNAL_ID,
        "duration": optional(number(0, 2**31 - 1)),
        "date_created": MOMENTS,
        "owner_id": REF,
        "description": DESCRIPTION,
        "tags": TAGS,
    },
    departments.DepartmentCreate: {
        "name": required(line(100)),
        "external_id": EXTERNAL_ID,
        "description": DESCRIPTION,
    },
    employees.EmployeeCreate: {
        "name": required(line(100)),
        "external_id": EXTERNAL_ID,
        "user_id": REF,
        "job_title": optional(line(100)),
        "hired_on": DATES,
    },
    links.DepartmentEmployeePut: {"from_date": DATES, "to_date": DATES},
}
UPDATES: dict[type[msgspec.Struct], type[msgspec.Struct]] = {
    users.UserCreate: users.UserUpdate,
    records.RecordCreate: records.RecordUpdate,
    departments.DepartmentCreate: departments.DepartmentUpdate,
    employees.EmployeeCreate: employees.EmployeeUpdate,
}


def every_field() -> Iterator[Any]:
    for create, fields in FIELDS.items():
        for struct in filter(None, (create, UPDATES.get(create))):
            for name, values in fields.items():
                yield pytest.param(struct, name, *values, id=f"{struct.__name__}.{name}")


def test_every_field_is_among_them() -> None:
    for create, fields in FIELDS.items():
        assert set(create.__struct_fields__) == set(fields)
        assert create not in UPDATES or set(UPDATES[create].__struct_fields__) == set(fields)


@pytest.mark.parametrize(("struct", "name", "good", "bad"), list(every_field()))
def test_takes_what_is_within_bounds_and_tells_where_what_is_not(
    struct: type[msgspec.Struct], name: str, good: list[Any], bad: list[Any]
) -> None:
    body = Body(struct)
    refused = [value for value in good if faults(body, name, value)]
    taken = [value for value in bad if not tells_where(faults(body, name, value), name)]
    assert (refused, taken) == ([], [])


def faults(body: Body[Any], name: str, value: Any) -> tuple[Fault, ...]:
    """What is wrong with a document in which all else is right."""
    others = {each.name: "a@b" for each in msgspec.structs.fields(body.struct) if each.required}
    try:
        body.read(json.dumps(others | {name: value}).encode())
    except Invalid as invalid:
        return invalid.faults
    return ()


def tells_where(faults: tuple[Fault, ...], name: str) -> bool:
    return len(faults) == 1 and faults[0].pointer in (f"/{name}", f"/{name}/0")
