"""Parts of a script's text: DO blocks, dollar-quoted statements, arrays and messages."""

from collections.abc import Iterable
from itertools import chain, count

from service.migrate.dialects.ddl import literal


def block(*lines: str, declared: Iterable[str] = ()) -> str:
    """A DO statement: all of it commits, or nothing."""
    head = [f"  {each};" for each in declared]
    return (
        dollar("\n".join([*(["DECLARE", *head] if head else []), "BEGIN", *lines, "END"]), "step", prefix="DO ") + ";"
    )


def dollar(text: str, tag: str, *, prefix: str = "") -> str:
    """The text in dollar quotes, with a tag that the text does not contain."""
    tags = chain([f"${tag}$"], (f"${tag}{number}$" for number in count(2)))
    quote = next(each for each in tags if each not in text)
    return f"{prefix}{quote}\n{text}\n{quote}"


def comment(text: str) -> str:
    """One line, whatever is in the text."""
    return f"-- {' '.join(text.split())}"


def executed(statement: str) -> str:
    text = statement.strip().rstrip(";")
    return f"EXECUTE {dollar(f'{text};', 'sql')};"


def array(texts: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(literal, texts))}]::text[]"


def raised(message: str, detail: str = "") -> str:
    """RAISE with the message as it stands; `detail` is an SQL expression that is appended."""
    return f"RAISE EXCEPTION USING MESSAGE = {literal(message)}{f' || {detail}' if detail else ''};"


def call(function: str, *values: str | int) -> str:
    """A call of one of the script's functions, with text and numbers as its arguments."""
    given = ", ".join(literal(each) if isinstance(each, str) else str(each) for each in values)
    return f"pg_temp.migrator_{function}({given})"
