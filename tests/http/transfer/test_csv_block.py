"""A block that is parsed together gives the lines that its records give one by one."""

from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from service.http.transfer.lines import BadLine, Line
from service.http.transfer.parser import CSV, parser_of
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.splitter import Block
from service.records.transfer import IMPORT as RECORDS
from service.users.transfer import IMPORT as USERS

HEADER = "name,email,age,active,address,roles\n"
GOOD = ["Ann,a{0}@example.org,7,true,Elm Street,viewer;editor", "Émilie,É{0}@example.org,,false,,[]"]
# A user is active unless something else is said.
ABSENT = "Ann,a{0}@example.org,7,,,viewer"
ODD = [
    "Ann,a{0}@example.org,7",
    "Ann,nobody,7,true,,",
    "Ann,a{0}@example.org,+7,true,,viewer",
    "Ann,a{0}@example.org,7,yes,,viewer",
    ABSENT,
    " ,a{0}@example.org,7,true,,viewer",
    "Ann,a{0}@example.org,7,true,,viewer;viewer",
    "",
    '"Ann ""A.""",a{0}@example.org,999,true,"Elm Street",viewer',
    "Ann,a{0}@example.org,99999999999999999999,true,,viewer",
]


def parsed(declared: Import, header: str, lines: list[str], *, together: bool) -> list[Any]:
    rows = RowMaker(declared, sqlite.dialect())
    parser = parser_of(declared, rows, CSV)
    text = "".join(f"{line}\n" for line in lines)
    blocks = [Block(1, header.encode())]
    blocks += (
        [Block(2, text.encode())]
        if together
        else [Block(at, f"{line}\n".encode()) for at, line in enumerate(lines, start=2)]
    )
    found = [line for block in blocks for part in parser.read(block) for line in part.in_order()]
    return [plain(declared, line) for line in [*found, *(line for part in parser.finish() for line in part.in_order())]]


def plain(declared: Import, line: Line | BadLine) -> Any:
    if isinstance(line, BadLine):
        return line
    # The stamps are the times of the two runs.
    return line.number, declared.sent(line.value), line.row[:-2], dict(line.related)


@pytest.mark.parametrize("odd", [[], *([each] for each in ODD), ODD])
def test_users_are_as_one_by_one(odd: list[str]) -> None:
    lines = [line.format(at) for at, line in enumerate([*GOOD * 10, *odd, *GOOD * 10])]
    together = parsed(USERS, HEADER, lines, together=True)
    assert together == parsed(USERS, HEADER, lines, together=False)
    assert sum(isinstance(each, BadLine) for each in together) == sum(map(bool, odd)) - (ABSENT in odd)


def test_times_are_in_utc_and_what_is_absent_has_its_default() -> None:
    lines = ["Bells,2026-01-01T00:00:00+01:00"] * 9 + ["Bells,never", "Bells,0001-01-01T00:00:00Z"]
    together = parsed(RECORDS, "title,date_created\n", lines, together=True)
    assert together == parsed(RECORDS, "title,date_created\n", lines, together=False)
    assert [isinstance(each, BadLine) for each in together] == [False] * 9 + [True, True]
    assert str(together[0][1]["date_created"]) == "2025-12-31 23:00:00+00:00"
