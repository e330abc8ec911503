"""A tokenizer for SQL and PL/pgSQL, to find names in the text of functions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.migrate.dialects.ddl import LONGEST_NAME

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html; a string or comment without an end goes to the end.
_TOKEN = re.compile(
    r"""
    (?P<gap> \s+ | --[^\n]* )
  | (?P<string> [eE]'(?:[^'\\]|''|\\.)*(?:'|\Z) | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*(?:'|\Z)
      | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z) )
  | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*(?:"|\Z) )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<parameter> \$\d+ )
  | (?P<number> \d[\w.]* )
  | (?P<mark> ->> | -> | :: | := | => | \.\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_ESCAPED = re.compile(r"\\(\+[0-9a-fA-F]{6}|[0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is not white space and not a comment."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """The word in lower case; empty for other tokens, quoted names included."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier as the catalog has it: folded unless quoted, and cut to 63 bytes; empty for other tokens."""
        if self.kind == "word":
            return truncated(lowered(self.text))
        if self.kind != "quoted":
            return ""
        if not self.text.startswith('"'):
            return truncated(_ESCAPED.sub(lambda code: chr(int(code[1].lstrip("+"), 16)), _inner(self.text[2:])))
        return truncated(_inner(self.text))

    @property
    def value(self) -> str:
        """The text of a string; empty for other tokens."""
        if self.kind != "string":
            return ""
        if self.text.startswith("$"):
            tag = self.text[: self.text.index("$", 1) + 1]
            return self.text[len(tag) :].removesuffix(tag)
        return self.text[self.text.index("'") + 1 :].removesuffix("'").replace("''", "'")


def tokenize(sql: str) -> Iterator[Token]:
    """Yield the tokens of the text."""
    position = 0
    while position < len(sql):
        if sql.startswith("/*", position):
            position = _end_of_comment(sql, position)
            continue
        # The last alternative matches any character.
        match = _TOKEN.match(sql, position)
        assert match is not None  # noqa: S101 - as above
        position = match.end()
        kind = next(kind for kind in _TOKEN.groupindex if kind != "tag" and match[kind] is not None)
        if kind != "gap":
            yield Token(kind, match[kind])


def lowered(name: str) -> str:
    """The name as PostgreSQL folds it in a database of several bytes a character: A to Z and no other letter."""
    return re.sub("[A-Z]+", lambda match: match.group().lower(), name)


def truncated(name: str) -> str:
    """The name as PostgreSQL keeps it: its first 63 bytes, without a part of a character."""
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def _inner(quoted: str) -> str:
    return quoted[1:].removesuffix('"').replace('""', '"')


def _end_of_comment(sql: str, start: int) -> int:
    """The position after the comment; comments nest."""
    depth = 0
    for mark in _COMMENT.finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return len(sql)
