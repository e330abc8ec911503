"""Matches a column of cells with a pattern in one search, where msgspec makes one for each cell."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple, Self

from msgspec import Meta, inspect

from service.db import words

_END = r"$(?!\n)"
# No text with a line feed matches them, so a line feed separates cells.
_OF_ONE_LINE = frozenset({words.LINE, words.BLANKABLE_LINE, words.UNSPACED, words.EMAIL})


class ColumnPattern(NamedTuple):
    """The pattern of a text column, and the type of its cells without it."""

    lines: re.Pattern[str]
    kind: Any

    @classmethod
    def of(cls, kind: Any) -> Self | None:
        """Return the pattern of a type; `None` unless it is text, or text and null, with a pattern of one line."""
        described = inspect.type_info(kind)
        types = described.types if isinstance(described, inspect.UnionType) else (described,)
        kinds = [each.type if isinstance(each, inspect.Metadata) else each for each in types]
        texts = [each for each in kinds if isinstance(each, inspect.StrType)]
        others = [each for each in kinds if not isinstance(each, inspect.StrType | inspect.NoneType)]
        if len(texts) != 1 or others or texts[0].pattern not in _OF_ONE_LINE:
            return None
        [text] = texts
        nullable = len(kinds) > 1
        limited: Any = Annotated[str, Meta(min_length=text.min_length, max_length=text.max_length)]
        return cls(_lines(text.pattern, nullable=nullable), limited | None if nullable else limited)

    def matches(self, cells: Sequence[str]) -> bool:
        """Return whether every cell matches; of a type with null, an empty cell does too."""
        text = "\n".join(cells)
        return text.count("\n") == len(cells) - 1 and self.lines.fullmatch(text + "\n") is not None


@cache
def _lines(pattern: str, *, nullable: bool) -> re.Pattern[str]:
    body = pattern.removeprefix("^").removesuffix(_END)
    # Possessive: a line that does not match is not tried in another way.
    return re.compile(rf"(?:(?:{body}{'|' if nullable else ''})\n)*+", re.MULTILINE)
