"""A tokenizer for SQLite's SQL that keeps white space and comments, so that stored text can be edited."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

# https://www.sqlite.org/lang_keywords.html: four ways to quote a name; a string where a name belongs is a name.
_TOKEN = re.compile(
    r"""
    (?P<gap> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string> '(?:[^']|'')*' )
  | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<word> [\w$]+ )
  | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)


_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of SQL; a gap is white space or a comment."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """The keyword in upper case; empty for other tokens."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier, as SQLite compares identifiers; empty for other tokens."""
        if self.kind == "word":
            return lowered(self.text)
        if self.kind in ("mark", "gap"):
            return ""
        closing = self.text[-1]
        return lowered(self.text[1:-1].replace(closing * 2, closing))


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of the text; `join` gives the text again."""
    return [*_tokens(sql)]


@lru_cache(maxsize=256)
def _tokens(sql: str) -> tuple[Token, ...]:
    # Each step reads the whole catalog again, of which it changed one statement at most.
    return tuple(Token(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(sql))


def join(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def lowered(name: str) -> str:
    """The name in lower case: SQLite folds A to Z and no other letter."""
    return name.translate(_LOWER)


def spelled(there: Iterable[str], name: str, to: str) -> tuple[str, str]:
    """A name as one of those that are there, and the longer or shorter name that it gets in the same spelling."""
    found = next((each for each in there if lowered(each) == lowered(name)), name)
    return found, to[: len(to) - len(name)] + found if len(to) > len(name) else found[len(name) - len(to) :]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def meaningful(tokens: list[Token]) -> list[int]:
    """The positions of the tokens that are not gaps."""
    return [position for position, token in enumerate(tokens) if token.kind != "gap"]


@lru_cache(maxsize=1024)
def normal_form(sql: str) -> str:
    """The text with uniform white space and without unnecessary quotes, to compare two definitions."""
    return " ".join(_plain(token) for token in tokenize(sql) if token.kind != "gap")


def _plain(token: Token) -> str:
    inner = token.text[1:-1]
    return inner if token.kind == "quoted" and re.fullmatch(r"[a-z_][a-z0-9_]*", inner) else token.text
