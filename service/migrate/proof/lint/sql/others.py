"""Statements other than CREATE and ALTER TABLE."""

from collections.abc import Iterator

from service.migrate.proof.lint.sql.change import Change, Constraint, Kind
from service.migrate.proof.lint.sql.cursor import Cursor, joined, names_in

# Marks the body of a DO block, whose statements are read as well.
BLOCK = frozenset(("a block",))


def words_of(cursor: Cursor) -> frozenset[str]:
    return frozenset(token.keyword for token in cursor.tokens)


def altered(cursor: Cursor, text: str) -> Iterator[Change]:
    """ALTER of something other than a table."""
    words = words_of(cursor)
    cursor.take("materialized")
    kind = cursor.any(*_ALTERED)
    cursor.take("if", "exists")
    name = cursor.name()
    cursor.group() if kind in ("function", "procedure") else None
    table = cursor.name() if kind in ("trigger", "policy") and cursor.take("on") else ""
    if kind in _NAMED and cursor.take("rename", "to"):
        yield Change(kind=Kind.RENAME_OTHER, name=name, table=table, to=cursor.require(), words=frozenset((kind,)))
    elif kind == "sequence":
        yield _sequence(cursor, name, text)
    elif kind == "publication":
        yield Change(kind=Kind.ALTER_PUBLICATION, name=name, words=words, text=text)
    elif kind == "default":
        # ALTER DEFAULT PRIVILEGES … GRANT … ON TABLES TO …
        is_grant = "revoke" not in words
        cursor.skip_to("to", "from")
        yield Change(kind=Kind.GRANT if is_grant else Kind.REVOKE, name="default", to=joined(cursor.rest()), text=text)
    elif kind == "type" and cursor.take("add", "value"):
        cursor.take("if", "not", "exists")
        yield Change(kind=Kind.ADD_ENUM_VALUE, name=name, to=cursor.rest()[0].value, text=text)
    elif kind == "type" and cursor.take("rename", "value"):
        yield Change(kind=Kind.RENAME_ENUM_VALUE, name=name, to=cursor.rest()[0].value, text=text)
    elif kind == "domain":
        yield Change(kind=Kind.ALTER_DOMAIN, name=name, words=words, text=text)
    elif kind == "schema" and cursor.take("rename"):
        yield Change(kind=Kind.RENAME_SCHEMA, name=name, text=text)
    elif kind == "index" and cursor.take("set", "tablespace"):
        yield Change(kind=Kind.SET_TABLESPACE, name=name, text=text, words=words | {"index"})
    else:
        yield Change(kind=Kind.OTHER, name=f"alter {kind}".strip(), text=text, words=words)


_NAMED = ("index", "type", "domain", "sequence", "view", "function", "procedure", "trigger", "policy")
_ALTERED = (*_NAMED, "schema", "publication", "default")


def _sequence(cursor: Cursor, name: str, text: str) -> Change:
    words = words_of(cursor)
    owner = cursor.name() if cursor.skip_to("owned") and cursor.take("by") else ""
    return Change(
        kind=Kind.RESTART if "restart" in words else Kind.ALTER_SEQUENCE, name=name, to=owner, words=words, text=text
    )


def commented(cursor: Cursor, text: str) -> Iterator[Change]:
    cursor.take("on")
    target = joined(cursor.until("is")).lower()
    cursor.take("is")
    value = joined(cursor.rest())
    yield Change(kind=Kind.COMMENT, name=target, to="" if value.lower() == "null" else value, text=text)


_DROPPED = {
    "table": Kind.DROP_TABLE,
    "index": Kind.DROP_INDEX,
    "trigger": Kind.DROP_TRIGGER,
    "function": Kind.DROP_FUNCTION,
    "procedure": Kind.DROP_FUNCTION,
    "view": Kind.DROP_VIEW,
    "type": Kind.DROP_TYPE,
    "domain": Kind.DROP_TYPE,
    "policy": Kind.DROP_POLICY,
    "schema": Kind.DROP_WHOLE,
    "database": Kind.DROP_WHOLE,
    "owned": Kind.DROP_WHOLE,
    "sequence": Kind.DROP_SEQUENCE,
    "extension": Kind.DROP_EXTENSION,
    "publication": Kind.DROP_PUBLICATION,
}


def dropped(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    cursor.take("materialized") or cursor.take("foreign")
    named = cursor.any(*_DROPPED)
    cursor.take("concurrently")
    cursor.take("if", "exists")
    kind = _DROPPED.get(named, Kind.OTHER)
    while not cursor.is_done:
        name = cursor.name()
        cursor.group()
        table = cursor.name() if cursor.take("on") else ""
        if kind is Kind.DROP_TABLE:
            name, table = "", name
        yield Change(kind=kind, name=name, table=table, words=words, text=text)
        if not cursor.take(","):
            return


def updated(cursor: Cursor, text: str) -> Iterator[Change]:
    table = cursor.name()
    cursor.until("where")
    yield Change(kind=Kind.UPDATE, table=table, to=joined(cursor.rest()), text=text)


def deleted(cursor: Cursor, text: str) -> Iterator[Change]:
    table = cursor.name()
    cursor.until("where")
    yield Change(kind=Kind.DELETE, table=table, to=joined(cursor.rest()), text=text)


def inserted(cursor: Cursor, text: str) -> Iterator[Change]:
    replaces = cursor.tokens[0].keyword == "replace" or (cursor.word(), cursor.word(1)) == ("or", "replace")
    cursor.skip_to("into") if cursor.word() != "into" and cursor.tokens[0].keyword == "insert" else cursor.take("into")
    table = cursor.name()
    names = names_in(cursor.group())
    words = frozenset(("replace",)) if replaces else frozenset[str]()
    yield Change(kind=Kind.INSERT, table=table, names=names, words=words | words_of(cursor), text=text)


def truncated(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    cursor.take("table")
    while cursor.word() not in ("cascade", "restart", "continue", "restrict") and (name := cursor.name()):
        yield Change(kind=Kind.TRUNCATE, table=name, words=words, text=text)
        cursor.take(",")


def reindexed(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    cursor.group()
    what = cursor.any("index", "table", "schema", "database", "system")
    cursor.take("concurrently")
    name = cursor.name()
    yield Change(
        kind=Kind.REINDEX,
        table=name if what == "table" else "",
        name=name,
        to=what,
        words=words,
        text=text,
    )


def refreshed(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    cursor.take("concurrently")
    yield Change(kind=Kind.REFRESH, name=cursor.name(), words=words, text=text)


def clustered(cursor: Cursor, text: str) -> Iterator[Change]:
    cursor.take("verbose")
    cursor.group()
    yield Change(kind=Kind.CLUSTER, table=cursor.name(), text=text)


def vacuumed(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    cursor.group()
    while cursor.any("full", "freeze", "verbose", "analyze"):
        pass
    yield Change(kind=Kind.VACUUM, table=cursor.name(), words=words, text=text)


def analyzed(cursor: Cursor, text: str) -> Iterator[Change]:
    cursor.group()
    cursor.take("verbose")
    yield Change(kind=Kind.ANALYZE, table=cursor.name(), text=text)


def copied(cursor: Cursor, text: str) -> Iterator[Change]:
    yield Change(kind=Kind.COPY, table=cursor.name(), words=words_of(cursor), text=text)


def locked(cursor: Cursor, text: str) -> Iterator[Change]:
    cursor.take("table")
    tables = [cursor.require()]
    while cursor.take(","):
        tables.append(cursor.require())
    mode = joined(cursor.until("mode", "nowait")).lower().removeprefix("in ") or "access exclusive"
    yield from (Change(kind=Kind.LOCK, table=table, to=mode, text=text) for table in tables)


def granted(cursor: Cursor, text: str) -> Iterator[Change]:
    words = words_of(cursor)
    kind = Kind.GRANT if cursor.tokens[0].keyword == "grant" else Kind.REVOKE
    privileges = joined(cursor.until("on")).lower()
    cursor.take("on")
    cursor.take("table")
    table = cursor.name()
    cursor.skip_to("to", "from")
    roles = joined(cursor.until("with", "granted", "cascade"))
    yield Change(kind=kind, name=privileges, table=table, to=roles, words=words, text=text)


def setting(cursor: Cursor, text: str) -> Iterator[Change]:
    cursor.any("local", "session")
    name = cursor.name()
    cursor.any("=", "to")
    values = [token.value or token.text for token in cursor.rest()]
    yield Change(kind=Kind.SET, name=name, to="".join(values).lower(), text=text)


def pragma(cursor: Cursor, text: str) -> Iterator[Change]:
    name = cursor.name()
    cursor.any("=", "(")
    yield Change(kind=Kind.PRAGMA, name=name.lower(), to=cursor.word(), text=text)


def block(cursor: Cursor, _text: str) -> Iterator[Change]:
    yield from (
        Change(kind=Kind.OTHER, name="do", text=each.value, words=BLOCK) for each in cursor.rest() if each.value
    )


def referred(change: Change) -> Iterator[tuple[Constraint, str]]:
    """The foreign keys that the change declares, each with the table that it refers to."""
    declared = [*change.constraints, *(one for column in change.columns for one in column.constraints)]
    yield from ((each, each.referred) for each in declared if each.kind == "foreign key")
