"""Expressions that SQLite cannot compute for every value: in a trigger, the error would be that of each write."""

from itertools import pairwise

from service.migrate.dialects.sqlite.tokens import Token, tokenize

_GUARDS_JSON = {"json_valid", "typeof"}
_JSON = "CASE WHEN json_valid(…) THEN … END"
_CURES = {
    "abs": "CASE WHEN … < 0 THEN -… ELSE … END, since abs has no value for the smallest integer",
    "zeroblob": "a constant",
    "unistr": "the text itself",
}
# They never fail, or are the guard.
_SAFE_JSON = {"json_valid", "json_error_position", "json_group_array"}


def risk(expression: str) -> tuple[str, str] | None:
    """A function or an operator of the expression that fails on some values, and what to write; `None` without one."""
    tokens = [token for token in tokenize(expression) if token.kind != "gap"]
    called = [one.name for one, other in pairwise(tokens) if one.name and other.text == "("]
    if found := next((name for name in called if name in _CURES), None):
        return found, _CURES[found]
    if _GUARDS_JSON.isdisjoint(called):
        if found := next((name for name in called if name.startswith("json") and name not in _SAFE_JSON), None):
            return found, _JSON
        if any((one.text, other.text) == ("-", ">") for one, other in pairwise(tokens)):
            return "->", _JSON
    return None


def is_of_one_type(expression: str) -> bool:
    """Whether every value of the expression has one type: a CAST, the column itself, or a literal."""
    tokens = [token for token in tokenize(expression) if token.kind != "gap"]
    if expression.strip() == "{}" or len(tokens) == 1:
        return True
    return tokens[0].keyword == "CAST" and _closing(tokens[1:]) == len(tokens) - 2


def _closing(tokens: list[Token]) -> int:
    """The position of the parenthesis that closes the first one."""
    depth = 0
    for position, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            return position
    return -1
