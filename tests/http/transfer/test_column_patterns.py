"""A column matches a pattern exactly if each of its cells does."""

import random
import re
from typing import Any

import pytest
from msgspec import inspect

from service.db import words
from service.http.transfer.column_patterns import ColumnPattern

TEXTS = {
    "name": (words.Name, words.LINE),
    "email": (words.Email, words.EMAIL),
    "address": (words.Address, words.BLANKABLE_LINE),
    "external_id": (words.ExternalId, words.UNSPACED),
}
PIECES = ["a", "É", "@", " ", "\u2003", "\xa0", "\t", "\r", "\n", "\x0b", "\x85", "\u2028", "\x7f", "$", "a@b", ""]


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_a_column_matches_as_its_cells_do(name: str, *, nullable: bool) -> None:
    kind, pattern = TEXTS[name]
    column = pattern_of(kind | None if nullable else kind)
    drawn = random.Random(name)
    seen = set()
    for _ in range(2000):
        cells = ["".join(drawn.choices(PIECES, k=drawn.randint(0, 3))) for _ in range(drawn.randint(1, 3))]
        expected = all((nullable and not cell) or re.search(pattern, cell) for cell in cells)
        assert column.matches(cells) is expected, cells
        seen.add(expected)
    assert seen == {False, True}


def test_lengths_stay_with_the_type() -> None:
    described = inspect.type_info(pattern_of(words.Name).kind)
    assert isinstance(described, inspect.StrType)
    assert (described.min_length, described.max_length, described.pattern) == (1, 50, None)


@pytest.mark.parametrize("kind", [words.Age, words.Description, words.Tags, str, words.Name | words.Age])
def test_other_types_have_none(kind: Any) -> None:
    assert ColumnPattern.of(kind) is None


def pattern_of(kind: Any) -> ColumnPattern:
    found = ColumnPattern.of(kind)
    assert found is not None
    return found
