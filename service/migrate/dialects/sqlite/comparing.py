"""Definitions of constraints and indexes on SQLite in one form, to compare what is stored with what is declared."""

from collections.abc import Sequence
from itertools import accumulate

from service.migrate.dialects.sqlite.definition import Definition
from service.migrate.dialects.sqlite.tokens import Token, lowered, meaningful, tokenize

# What SQLite does where nothing is said.
_DEFAULTS = (
    ("on", "delete", "no", "action"),
    ("on", "update", "no", "action"),
    ("match", "simple"),
    ("not", "deferrable"),
    ("initially", "immediate"),
    ("asc",),
)


def constraint(definition: Definition, name: str) -> str | None:
    """The text of a named constraint, of the table or of a column, as a table constraint."""
    for item in definition.items:
        if item.is_constraint:
            if item.constraint_name == lowered(name):
                return _without_name(item.tokens)
            continue
        for clause in item.column.clauses:
            if clause.name == lowered(name):
                text = _without_name(item.tokens[clause.start : clause.stop])
                return _of_table(text, clause.kind, item.tokens[meaningful(list(item.tokens))[0]].text)
    return None


def checks(definition: Definition) -> dict[str, str]:
    """The named CHECK constraints of the table and of its columns."""
    named = [item.constraint_name for item in definition.items if item.is_constraint]
    named += [clause.name for column in definition.columns for clause in column.clauses]
    found = {name: text for name in named if name and (text := constraint(definition, name)) is not None}
    return {name: text for name, text in found.items() if text.upper().startswith("CHECK")}


def comparable(sql: str) -> tuple[str, ...]:
    """The meaningful tokens: names and keywords without case, without needless parentheses and defaults."""
    solid = [token for token in tokenize(sql) if token.kind != "gap"]
    words = [token.text if token.kind == "string" else token.name or token.text for token in solid]
    if words[:1] == ["constraint"]:
        words = words[2:]
    for default in _DEFAULTS:
        words = _without_run(words, default)
    return _ordered(tuple(_unwrapped(words)))


def _without_name(tokens: Sequence[Token]) -> str:
    """The constraint without CONSTRAINT and its name."""
    solid = meaningful(list(tokens))
    start = solid[2] if tokens[solid[0]].keyword == "CONSTRAINT" else solid[0]
    return "".join(token.text for token in tokens[start:]).strip()


def _of_table(text: str, kind: str, column: str) -> str:
    if kind == "UNIQUE":
        return text[:6] + f" ({column})" + text[6:]
    return f"FOREIGN KEY ({column}) {text}" if kind == "REFERENCES" else text


def _without_run(words: list[str], run: tuple[str, ...]) -> list[str]:
    for start in range(len(words) - len(run) + 1):
        if tuple(words[start : start + len(run)]) == run:
            return _without_run(words[:start] + words[start + len(run) :], run)
    return words


def _unwrapped(words: list[str]) -> list[str]:
    """CHECK ((a > 0)) as CHECK (a > 0)."""
    while words[:3] == ["check", "(", "("] and words[-2:] == [")", ")"] and _closes(words[2:-1]):
        words = [words[0], *words[2:-1]]
    return words


def _closes(words: list[str]) -> bool:
    """Whether the first parenthesis closes with the last word."""
    depths = accumulate((word == "(") - (word == ")") for word in words)
    return next((place for place, depth in enumerate(depths) if not depth), None) == len(words) - 1


def _ordered(words: tuple[str, ...]) -> tuple[str, ...]:
    """ON DELETE before ON UPDATE."""
    if words[:1] != ("foreign",) or "update" not in words or "delete" not in words:
        return words
    update, delete = words.index("update") - 1, words.index("delete") - 1
    if delete < update:
        return words
    ending = ("match", "deferrable", "initially")
    end = next((at for at in range(delete + 2, len(words)) if words[at] in ending), len(words))
    return (*words[:update], *words[delete:end], *words[update:delete], *words[end:])
