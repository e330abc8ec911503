"""SQL text as statements, and each statement as the changes that it makes."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from service.migrate.dialects.postgresql.statements import Statement
from service.migrate.dialects.postgresql.tokens import Token, tokenize
from service.migrate.proof.lint.sql import alter_table, creating, others
from service.migrate.proof.lint.sql.change import UNKNOWN, Change, Kind
from service.migrate.proof.lint.sql.cursor import Cursor, joined


def _prepared(cursor: Cursor, text: str) -> Iterator[Change]:
    """The statement of a PREPARE: an EXECUTE of the session runs it."""
    cursor.name()
    cursor.group()
    if cursor.take("as"):
        yield from of_statement(cursor.rest())
    else:
        yield Change(kind=Kind.OTHER, name="prepare", text=text)


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
    (("analyze",), others.analyzed),
    (("comment",), others.commented),
    (("copy",), others.copied),
    (("prepare",), _prepared),
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
        return [Change(kind=Kind.OPAQUE, name=tokens[0].text.lower(), text=joined(tokens))]


def of_statement(tokens: Sequence[Token]) -> Iterator[Change]:
    """The changes of one statement; statements in a DO block count as its own."""
    cursor, text = Cursor(tokens), joined(tokens)
    if cursor.word() == "with":
        yield from _behind_with(tokens)
        return
    for beginning, read in _READERS:
        if cursor.take(*beginning):
            for change in read(cursor, text):
                yield from in_body(change.text) if change.words == others.BLOCK else (change,)
            return
    if cursor.word() in ("select", "perform", "call"):
        yield _query(tokens, text)
        return
    kind = Kind.TRANSACTION if cursor.word() in _TRANSACTION else Kind.OTHER
    yield Change(kind=kind, name=cursor.word(), text=text)


def _query(tokens: Sequence[Token], text: str) -> Change:
    """A SELECT, PERFORM or CALL: the first table that it reads, and the functions that it calls."""
    word = tokens[0].keyword
    before = (each for each, behind in pairwise(tokens) if each.name and behind.text == "(")
    called = tuple(each.name for each in before if each.keyword not in _BEFORE_GROUP)
    table = next((each.name for each in Statement(tuple(tokens)).sources()), "")
    words = frozenset(token.keyword for token in tokens)
    kind = Kind.CALL if word == "call" else Kind.SELECT
    return Change(kind=kind, name=word, table=table, to=text, text=text, words=words, names=called)


# Words before a parenthesis that are no functions.
_BEFORE_GROUP = frozenset(
    (
        *("select", "perform", "values", "from", "where", "and", "or", "not", "in", "exists", "any", "all", "some"),
        *("case", "when", "then", "else", "as", "on", "using", "row", "array", "distinct", "having", "by", "with"),
        *("over", "filter", "materialized", "union", "join", "lateral", "interval"),
    )
)


def in_body(text: str) -> Iterator[Change]:
    """The changes of the statements in a DO block or in the body of a function."""
    for each in split(list(tokenize(text))):
        starts = (at for at, _ in enumerate(each) if not at or each[at - 1].keyword in _BEFORE_STATEMENT)
        at = next((at for at in starts if each[at].keyword in _IN_BODY), None)
        if at is not None:
            is_dynamic = each[at].keyword == "execute"
            yield from _executed(each[at + 1 :], joined(each[at:])) if is_dynamic else of_statement(each[at:])


_BEFORE_STATEMENT = frozenset(("begin", "then", "else", "loop", "atomic"))
_IN_BODY = frozenset(
    (
        *("alter", "create", "drop", "update", "delete", "insert", "truncate", "reindex", "lock", "cluster", "merge"),
        *("perform", "select", "with", "execute", "call", "grant", "revoke", "refresh", "comment", "set", "analyze"),
    )
)


def _executed(tokens: Sequence[Token], text: str) -> Iterator[Change]:
    """What EXECUTE runs: a text as far as it is written out, with `…` for each name that is built at run time."""
    expression = Cursor(tokens).until("into", "using")
    literals = [each for each in expression if each.kind == "string"]
    if len(expression) != 1 or not literals:
        yield Change(kind=Kind.OPAQUE, name="execute", text=text)
    if not literals:
        return
    if expression[0].keyword == "format":
        expression = literals[:1]
    template = "".join(each.value or f' "{UNKNOWN}" ' for each in expression if each.text != "|")
    filled = _PLACEHOLDER.sub(lambda found: f"'{UNKNOWN}'" if found[0].endswith("L") else f'"{UNKNOWN}"', template)
    yield from changes(re.sub(rf'( "{UNKNOWN}" )+', f' "{UNKNOWN}" ', filled))


_PLACEHOLDER = re.compile(r"%(?:\d+\$)?-?\d*[IsL]")


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
