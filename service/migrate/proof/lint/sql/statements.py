"""SQL text as statements, and each statement as the changes that it makes."""

from collections.abc import Callable, Iterator, Sequence

from service.migrate.dialects.postgresql.statements import Statement
from service.migrate.dialects.postgresql.tokens import Token, tokenize
from service.migrate.proof.lint.sql import alter_table, creating, others
from service.migrate.proof.lint.sql.change import Change, Kind
from service.migrate.proof.lint.sql.cursor import Cursor, joined

_Reader = Callable[[Cursor, str], Iterator[Change]]
# By their first words, longer beginnings first.
_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("alter", "table"), alter_table.changes),
    (("alter", "foreign", "table"), alter_table.changes),
    (("alter", "materialized", "view"), others.altered),
    (("alter",), others.altered),
    (("create",), creating.created),
    (("drop",), others.dropped),
    (("update",), others.updated),
    (("delete", "from"), others.deleted),
    (("insert",), others.inserted),
    (("replace", "into"), others.inserted),
    (("merge", "into"), others.updated),
    (("truncate",), others.truncated),
    (("reindex",), others.reindexed),
    (("refresh", "materialized", "view"), others.refreshed),
    (("cluster",), others.clustered),
    (("vacuum",), others.vacuumed),
    (("lock",), others.locked),
    (("grant",), others.granted),
    (("revoke",), others.granted),
    (("set",), others.setting),
    (("pragma",), others.pragma),
    (("do",), others.block),
)
_TRANSACTION = ("begin", "commit", "rollback", "start", "end", "abort")


def changes(text: str) -> list[Change]:
    """The changes of the statements in the text, in order."""
    return [change for tokens in split(list(tokenize(text))) for change in _readable(tokens)]


def _readable(tokens: Sequence[Token]) -> list[Change]:
    """The changes of a statement; a broken one, which ends too early, is one of no kind: a server says more of it."""
    try:
        return list(of_statement(tokens))
    except IndexError:
        return [Change(kind=Kind.OTHER, name=tokens[0].text.lower(), text=joined(tokens))]


def of_statement(tokens: Sequence[Token]) -> Iterator[Change]:
    """The changes of one statement; statements in a DO block count as its own."""
    cursor, text = Cursor(tokens), joined(tokens)
    if cursor.word() == "with":
        yield from _behind_with(tokens)
        return
    for beginning, read in _READERS:
        if cursor.take(*beginning):
            for change in read(cursor, text):
                yield from (_of_block(change) if change.inner == () and change.words == others.BLOCK else (change,))
            return
    if cursor.word() in ("select", "perform"):
        found = next((each.name for each in Statement(tuple(tokens)).sources()), "")
        yield Change(kind=Kind.SELECT, name=cursor.word(), table=found, to=text, text=text)
        return
    kind = Kind.TRANSACTION if cursor.word() in _TRANSACTION else Kind.OTHER
    yield Change(kind=kind, name=cursor.word(), text=text)


def _of_block(change: Change) -> Iterator[Change]:
    for each in split(list(tokenize(change.text))):
        # BEGIN, THEN and LOOP stand before the first word of a statement.
        words = [at for at, token in enumerate(each) if token.keyword in _FIRST]
        if words:
            yield from of_statement(each[words[0] :])


_FIRST = frozenset(
    (
        "alter",
        "create",
        "drop",
        "update",
        "delete",
        "insert",
        "truncate",
        "reindex",
        "lock",
        "cluster",
        "merge",
        "perform",
    )
)


def _behind_with(tokens: Sequence[Token]) -> Iterator[Change]:
    """The statements inside and behind WITH that change rows."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.keyword in ("update", "delete", "insert", "merge") and tokens[at - 1].text in ("(", ")"):
            end = next((n for n in range(at, len(tokens)) if _closes(tokens, at, n)), len(tokens))
            yield from of_statement(tokens[at:end])


def _closes(tokens: Sequence[Token], start: int, end: int) -> bool:
    return sum({"(": 1, ")": -1}.get(token.text, 0) for token in tokens[start : end + 1]) < 0


def split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The statements between semicolons; the body of a trigger of SQLite, BEGIN … END, belongs to its statement."""
    statement: list[Token] = []
    depth = 0
    for token in tokens:
        words = {each.keyword for each in statement[:3]}
        if {"create", "trigger"} <= words or depth:
            depth += {"begin": 1, "case": 1, "end": -1}.get(token.keyword, 0)
        if token.text == ";" and depth <= 0:
            if statement:
                yield statement
            statement, depth = [], 0
        else:
            statement.append(token)
    if statement:
        yield statement
