"""The bodies of functions: what a statement does that calls one."""

from collections.abc import Iterator

from service.migrate.dialects.postgresql.tokens import tokenize
from service.migrate.proof.lint.sql.change import Change, Kind
from service.migrate.proof.lint.sql.schema import Schema
from service.migrate.proof.lint.sql.statements import in_body

# Functions that call functions are read so deep.
_DEPTH = 3


def body(text: str) -> str:
    """The body in a CREATE FUNCTION; a text that is no CREATE FUNCTION is a body itself."""
    tokens = list(tokenize(text))
    if not tokens or tokens[0].keyword != "create":
        return text
    behind = [at for at, token in enumerate(tokens) if token.keyword == "as" and at + 1 < len(tokens)]
    strings = [tokens[at + 1].value for at in behind if tokens[at + 1].kind == "string"]
    if strings:
        return strings[0]
    start = next((at for at, token in enumerate(tokens) if token.keyword == "atomic"), len(tokens))
    return " ".join(token.text for token in tokens[start:])


def called(change: Change, schema: Schema, depth: int = _DEPTH) -> Iterator[Change]:
    """The changes of the functions that a SELECT or CALL runs, as far as the schema knows the functions."""
    if change.kind not in (Kind.SELECT, Kind.CALL) or not depth:
        return
    own = unqualified(schema)
    for name in change.names:
        if name in own:
            for each in in_body(body(own[name])):
                yield each
                yield from called(each, schema, depth - 1)


def unqualified(schema: Schema) -> dict[str, str]:
    """The functions by name, without the schema that they are in."""
    return {name.rpartition(".")[2]: text for name, text in schema.functions.items()}
