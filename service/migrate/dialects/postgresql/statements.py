"""The statements of a function's body: the tables that each of them reads or writes, and under which names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.migrate.dialects.postgresql.tokens import Token, tokenize

# A table's name follows one of these words, or a comma in the list that one of these begins.
_BEFORE_TABLE = frozenset(
    ("from", "join", "using", "update", "into", "table", "truncate", "only", "references", "lock", "of", "merge")
)
_END_OF_TABLES = frozenset(
    (
        *("where", "set", "on", "group", "order", "having", "limit", "offset", "returning", "values", "select", "when"),
        *("union", "except", "intersect", "window", "fetch", "for", "loop", "then", "in", "default", "overriding"),
    )
)
_NO_ALIAS = _BEFORE_TABLE | _END_OF_TABLES | frozenset(("left", "right", "full", "inner", "cross", "natural", "as"))
_PLACEHOLDER = re.compile(r"%(?:\d+\$)?-?\d*[IsL%]")
# A fragment begins after these words, unless they belong to a CASE expression.
_OPENING = frozenset(("begin", "loop", "declare"))
_BRANCHING = frozenset(("then", "else", "elsif", "elseif"))


@dataclass(frozen=True, slots=True)
class Source:
    """A table that a statement names: its place among the tokens, its name, and the alias if it has one."""

    position: int
    schema: str
    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its comments; the strings of a dynamic one are read as SQL."""

    tokens: tuple[Token, ...]
    is_dynamic: bool = False

    @property
    def words(self) -> set[str]:
        return {token.keyword for token in self.tokens}

    def name(self, position: int) -> str:
        return self.tokens[position].name if 0 <= position < len(self.tokens) else ""

    def text(self, position: int) -> str:
        return self.tokens[position].text.lower() if 0 <= position < len(self.tokens) else ""

    def sources(self) -> Iterator[Source]:
        """The names where SQL expects a table, a variable after INTO included."""
        expected = [False]
        listed = [False]
        for at, token in enumerate(self.tokens):
            word = token.keyword
            if token.text == "(":
                # FROM (a JOIN b), and not USING (column).
                expected.append(expected[-1] and self.text(at - 1) != "using")
                listed.append(False)
            elif token.text == ")" and len(expected) > 1:
                expected.pop(), listed.pop()
                expected[-1] = False
            elif word in _BEFORE_TABLE:
                # IS DISTINCT FROM is a comparison.
                expected[-1] = self.text(at - 1) != "distinct"
                listed[-1] = word in ("from", "using", "truncate", "table", "lock") or listed[-1]
            elif word in _END_OF_TABLES:
                expected[-1] = listed[-1] = False
            elif token.text == "," and listed[-1]:
                expected[-1] = True
            elif expected[-1] and token.name and self.text(at + 1) != ".":
                yield self._source(at)
                expected[-1] = False

    def _source(self, at: int) -> Source:
        schema = self.name(at - 2) if self.text(at - 1) == "." else ""
        behind = at + (2 if self.text(at + 1) == "as" else 1)
        alias = self.name(behind) if self.text(behind) not in _NO_ALIAS else ""
        return Source(at, schema, self.name(at), alias)


def statements(text: str, *, has_dynamic: bool) -> list[Statement]:
    """The statements of a body; with `has_dynamic`, strings that reach an EXECUTE are read as SQL."""
    fragments = list(_fragments(list(tokenize(text))))
    executed = {token.name for each in fragments if has_dynamic and _executes(each) for token in each} - {""}
    return [
        Statement(tuple(_inlined(each)), is_dynamic=True) if _reaches(each, executed) else Statement(tuple(each))
        for each in fragments
    ]


def scopes(found: Sequence[Statement], known: Mapping[str, object]) -> Iterator[tuple[str, Source]]:
    """Yield each record variable with each table whose rows it takes: INTO rec, FOR rec IN, rec a%ROWTYPE."""
    for statement in found:
        sources = list(statement.sources())
        tables = [each for each in sources if each.name in known]
        variables = [each.name for each in sources if statement.text(each.position - 1) in ("into", "strict")]
        variables += [statement.name(1)] if statement.text(0) == "for" and statement.text(2) == "in" else []
        for variable in variables:
            yield from ((variable, table) for table in tables if variable not in known)
        # DECLARE rec a%ROWTYPE, or rec a.
        ends = ("", ":=", "=", "default")
        for at in range(1, len(statement.tokens)):
            is_row = statement.text(at + 1) == "%" and statement.text(at + 2) == "rowtype"
            if is_row or (at == 1 and statement.name(1) in known and statement.text(2) in ends):
                yield statement.name(0), Source(at, "", statement.name(at), "")


def _fragments(tokens: list[Token]) -> Iterator[list[Token]]:
    found: list[Token] = []
    depth = 0
    before = ""
    for token in tokens:
        word = token.keyword
        if token.text == ";" or (word in _OPENING or (word in _BRANCHING and not depth)):
            yield found
            found, depth = [], 0
        else:
            found.append(token)
            if word == "case" and before != "end":
                depth += 1
            elif word == "end" and depth:
                depth -= 1
        before = word
    yield found


def _executes(fragment: Sequence[Token]) -> bool:
    return any(token.keyword == "execute" for token in fragment)


def _reaches(fragment: Sequence[Token], executed: set[str]) -> bool:
    """Whether the strings of a fragment may be executed: EXECUTE itself, or a variable that another one executes."""
    if not fragment or fragment[0].keyword == "raise" or not executed:
        return False
    if _executes(fragment):
        return True
    assigned = {before.name for before, sign in pairwise(fragment) if sign.text in (":=", "=")}
    into = {behind.name for word, behind in pairwise(fragment) if word.keyword == "into"}
    declared = (
        {fragment[0].name} if any(token.keyword == "default" or token.text == ":=" for token in fragment) else set()
    )
    return bool((assigned | into | declared) & executed)


def _inlined(fragment: Sequence[Token]) -> Iterator[Token]:
    for token in fragment:
        if token.kind != "string":
            yield token
            continue
        # A string inside of the string is a value.
        yield from tokenize(_PLACEHOLDER.sub(" ? ", token.value))
