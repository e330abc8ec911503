"""A column definition: its name, its type and its constraint clauses."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from service.migrate.dialects.sqlite.tokens import Token, join, meaningful, tokenize

# https://www.sqlite.org/syntax/column-constraint.html
# The keywords that open a clause, and the number of tokens before another clause can open.
_OPENING = {
    **dict.fromkeys(("NULL", "UNIQUE", "CHECK", "AS"), 1),
    **dict.fromkeys(("PRIMARY", "NOT", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED"), 2),
    "CONSTRAINT": 2,
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One constraint clause: tokens `start` to `stop`, its keyword, and its name if it has one."""

    kind: str
    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column's definition, white space and comments included; every change returns a new one."""

    tokens: tuple[Token, ...]

    @property
    def name(self) -> str:
        return self.tokens[self._solid[0]].name

    @property
    def clauses(self) -> list[Clause]:
        """The clauses in their order."""
        solid = self._solid
        return [self._clause(solid[first:last]) for first, last in pairwise([*self._openings(), len(solid)])]

    def clause(self, kind: str) -> Clause | None:
        return next((clause for clause in self.clauses if clause.kind == kind), None)

    @property
    def text(self) -> str:
        return join(self.tokens)

    def text_of(self, clause: Clause) -> str:
        return join(self.tokens[clause.start : clause.stop])

    def without(self, clause: Clause) -> "Column":
        start = clause.start
        if self.tokens[start - 1].text.isspace():
            start -= 1
        return Column(self.tokens[:start] + self.tokens[clause.stop :])

    def with_clause(self, text: str) -> "Column":
        """The column with the clause added, before a trailing comment."""
        end = self._solid[-1] + 1
        return Column((*self.tokens[:end], *tokenize(f" {text}"), *self.tokens[end:]))

    def with_type(self, text: str) -> "Column":
        """The column with another type, which may be empty."""
        solid = self._solid
        after_name = solid[0] + 1
        opening = next(self._openings(), len(solid))
        after_type = solid[opening - 1] + 1
        return Column((*self.tokens[:after_name], *tokenize(f" {text}" if text else ""), *self.tokens[after_type:]))

    @property
    def type(self) -> str:
        solid = self._solid
        span = solid[1 : next(self._openings(), len(solid))]
        return join(self.tokens[span[0] : span[-1] + 1]) if span else ""

    @property
    def _solid(self) -> list[int]:
        return meaningful(list(self.tokens))

    def _openings(self) -> Iterator[int]:
        """Yield the position of each clause's first token among the meaningful tokens."""
        words = [self.tokens[position].keyword for position in self._solid]
        marks = [self.tokens[position].text for position in self._solid]
        depth = 0
        taken_until = 1
        for index, word in enumerate(words):
            depth += (marks[index] == "(") - (marks[index] == ")")
            if depth or index < taken_until or word not in _OPENING:
                continue
            before, after = words[index - 1], words[index + 1 : index + 2]
            if _continues(before, word, after):
                continue
            yield index
            taken_until = index + _OPENING[word]
            if word == "CONSTRAINT" and taken_until < len(words):
                taken_until += _OPENING.get(words[taken_until], 0)

    def _clause(self, span: list[int]) -> Clause:
        words = [self.tokens[position].keyword for position in span]
        named = words[0] == "CONSTRAINT"
        kind = words[2] if named and len(words) > 2 else words[0]
        name = self.tokens[span[1]].name if named else ""
        kind = {"GENERATED": "AS", "NOT": "NOT NULL", "PRIMARY": "PRIMARY KEY"}.get(kind, kind)
        return Clause(kind=kind, name=name, start=span[0], stop=span[-1] + 1)


def column(text: str) -> Column:
    return Column(tuple(tokenize(text)))


def _continues(before: str, word: str, after: list[str]) -> bool:
    """Whether the keyword continues the clause before it: SET NULL, SET DEFAULT, ALWAYS AS, NOT DEFERRABLE."""
    return (
        (before == "SET" and word in ("NULL", "DEFAULT"))
        or (before == "ALWAYS" and word == "AS")
        or (word == "NOT" and after == ["DEFERRABLE"])
    )
