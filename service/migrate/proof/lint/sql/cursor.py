"""A place among the tokens of a statement, from which names, words and groups are read."""

import re
from collections.abc import Iterator, Sequence

from service.migrate.dialects.postgresql.tokens import Token


class Cursor:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def is_done(self) -> bool:
        return self.at >= len(self.tokens)

    def word(self, ahead: int = 0) -> str:
        """The keyword or the mark at this place, in lower case; empty at the end."""
        place = self.at + ahead
        return self.tokens[place].text.lower() if place < len(self.tokens) else ""

    def take(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if all(self.word(ahead) == each for ahead, each in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def any(self, *words: str) -> str:
        """Step over one of these words if it comes next, and return it."""
        found = self.word()
        if found not in words or not found:
            return ""
        self.at += 1
        return found

    def skip_to(self, *words: str) -> str:
        """Step behind the first of these words outside of parentheses, and return it; empty if none is left."""
        while not self.is_done:
            if self.word() == "(" and "(" not in words:
                self.group()
            elif found := self.any(*words):
                return found
            else:
                self.at += 1
        return ""

    def name(self) -> str:
        """A name without the schema public: `users`, `audit.users`; empty if no name comes next."""
        self.take("only")
        parts = []
        while not self.is_done and self.tokens[self.at].name:
            parts.append(self.tokens[self.at].name)
            self.at += 1
            if not self.take("."):
                break
        self.take("*")
        return ".".join(parts[1:] if parts[0] in ("public", "main") and len(parts) > 1 else parts) if parts else ""

    def require(self) -> str:
        """A name; raises IndexError if none comes next: the statement is broken."""
        found = self.name()
        if not found:
            raise IndexError
        return found

    def group(self) -> list[Token]:
        """The tokens inside the parentheses that open here; empty if none open."""
        if self.word() != "(":
            return []
        depth, start = 0, self.at + 1
        while not self.is_done:
            depth += {"(": 1, ")": -1}.get(self.word(), 0)
            self.at += 1
            if not depth:
                return list(self.tokens[start : self.at - 1])
        return list(self.tokens[start:])

    def until(self, *words: str) -> list[Token]:
        """The tokens up to one of these words outside of parentheses, or to the end."""
        start = self.at
        while not self.is_done and self.word() not in words:
            if self.word() == "(":
                self.group()
            else:
                self.at += 1
        return list(self.tokens[start : self.at])

    def rest(self) -> list[Token]:
        found = list(self.tokens[self.at :])
        self.at = len(self.tokens)
        return found


def listed(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The parts between commas outside of parentheses."""
    depth = 0
    part: list[Token] = []
    for token in tokens:
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(token.text, 0)
        if token.text == "," and not depth:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def names_in(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The first name of each part of a list of columns; empty for an expression."""
    return tuple(part[0].name if len(part) == 1 or part[1].kind == "word" else "" for part in listed(tokens))


def joined(tokens: Sequence[Token]) -> str:
    text = " ".join(token.text for token in tokens)
    return re.sub(r" ?\( ?", "(", text).replace(" )", ")").replace(" ,", ",").replace(" . ", ".")
