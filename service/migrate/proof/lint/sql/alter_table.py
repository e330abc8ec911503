"""The actions of an ALTER TABLE."""

from collections.abc import Iterator, Sequence

from service.migrate.dialects.postgresql.tokens import Token
from service.migrate.proof.lint.sql import columns, types
from service.migrate.proof.lint.sql.change import Change, Column, Kind
from service.migrate.proof.lint.sql.cursor import Cursor, joined, listed


def changes(cursor: Cursor, text: str) -> Iterator[Change]:
    """The changes of the statement, read from behind ALTER TABLE."""
    cursor.take("if", "exists")
    table = cursor.require()
    for part in listed(cursor.rest()):
        yield _action(table, part, text)


def _action(table: str, tokens: Sequence[Token], text: str) -> Change:
    cursor = Cursor(tokens)
    words = frozenset(token.keyword for token in tokens)
    if cursor.take("add"):
        return _added(table, cursor, words)
    if cursor.take("drop"):
        return _dropped(table, cursor, words)
    if cursor.take("alter") and not cursor.take("constraint"):
        cursor.take("column")
        return _altered(table, cursor, words)
    if cursor.take("rename"):
        return _renamed(table, cursor)
    return _option(table, cursor, words, text)


def _added(table: str, cursor: Cursor, words: frozenset[str]) -> Change:
    if columns.is_constraint(cursor):
        found = columns.constraint(cursor.rest())
        return Change(kind=Kind.ADD_CONSTRAINT, table=table, name=found.name, constraints=(found,), words=words)
    cursor.take("column")
    cursor.take("if", "not", "exists")
    column = columns.column(cursor.rest())
    return Change(kind=Kind.ADD_COLUMN, table=table, name=column.name, columns=(column,), words=words)


def _dropped(table: str, cursor: Cursor, words: frozenset[str]) -> Change:
    kind = Kind.DROP_CONSTRAINT if cursor.take("constraint") else Kind.DROP_COLUMN
    cursor.take("column")
    cursor.take("if", "exists")
    return Change(kind=kind, table=table, name=cursor.require(), words=words)


def _altered(table: str, cursor: Cursor, words: frozenset[str]) -> Change:
    name = cursor.require()
    if cursor.take("type") or cursor.take("set", "data", "type"):
        type = types.spelled(joined(cursor.until("using", "collate")))
        collation = cursor.name() if cursor.take("collate") else ""
        using = joined(cursor.rest()) if cursor.take("using") else ""
        # A cast of the column itself is what PostgreSQL does without USING.
        plain = {name, f'"{name}"', f"{name} :: {type}", f"{name}::{type}"}
        return Change(
            kind=Kind.CHANGE_TYPE,
            table=table,
            name=name,
            text="" if _is_plain(using, plain) else using,
            columns=(Column(name=name, type=type, collation=collation),),
            words=words,
        )
    for kind, taken in (
        (Kind.SET_NOT_NULL, ("set", "not", "null")),
        (Kind.DROP_NOT_NULL, ("drop", "not", "null")),
        (Kind.SET_DEFAULT, ("set", "default")),
        (Kind.DROP_DEFAULT, ("drop", "default")),
        (Kind.SET_EXPRESSION, ("set", "expression")),
        (Kind.ADD_IDENTITY, ("add", "generated")),
        (Kind.DROP_IDENTITY, ("drop", "identity")),
        (Kind.RESTART, ("restart",)),
    ):
        if cursor.take(*taken):
            return Change(kind=kind, table=table, name=name, text=joined(cursor.rest()), words=words)
    return Change(kind=Kind.ALTER_OTHER, table=table, name=name, text=joined(cursor.rest()), words=words)


def _is_plain(using: str, plain: set[str]) -> bool:
    return using.replace(" ", "").lower() in {each.replace(" ", "").lower() for each in plain} | {""}


_CONSTRAINT = frozenset(("constraint",))


def _renamed(table: str, cursor: Cursor) -> Change:
    if cursor.take("to"):
        return Change(kind=Kind.RENAME_TABLE, table=table, to=cursor.require())
    if cursor.take("constraint"):
        name = cursor.name()
        cursor.take("to")
        return Change(kind=Kind.RENAME_OTHER, table=table, name=name, to=cursor.name(), words=_CONSTRAINT)
    cursor.take("column")
    name = cursor.require()
    cursor.take("to")
    return Change(kind=Kind.RENAME_COLUMN, table=table, name=name, to=cursor.require())


def _option(table: str, cursor: Cursor, words: frozenset[str], text: str) -> Change:
    # Behind ALTER CONSTRAINT.
    if cursor.at or cursor.take("validate", "constraint"):
        kind = Kind.VALIDATE_CONSTRAINT if cursor.tokens[0].keyword == "validate" else Kind.ALTER_CONSTRAINT
        return Change(kind=kind, table=table, name=cursor.name(), words=words, text=text)
    if switched := cursor.any("attach", "detach"):
        cursor.take("partition")
        partition = cursor.name()
        attached = Kind.ATTACH_PARTITION if switched == "attach" else Kind.DETACH_PARTITION
        return Change(kind=attached, table=table, to=partition, text=joined(cursor.rest()), words=words)
    if cursor.take("owner", "to"):
        return Change(kind=Kind.CHANGE_OWNER, table=table, to=cursor.name(), text=text)
    if cursor.take("replica", "identity"):
        return Change(kind=Kind.REPLICA_IDENTITY, table=table, to=joined(cursor.rest()).lower(), text=text)
    start = f"{cursor.word()} {cursor.word(1)} {cursor.word(2)}"
    for kind, beginnings in (
        (Kind.SET_LOGGED, ("set logged", "set unlogged")),
        (Kind.SET_TABLESPACE, ("set tablespace",)),
        (Kind.SET_ACCESS_METHOD, ("set access method",)),
        (Kind.SET_SCHEMA, ("set schema",)),
        (Kind.ROW_SECURITY, ("enable row", "disable row", "force row", "no force row")),
        (
            Kind.SWITCH_TRIGGER,
            ("enable trigger", "disable trigger", "enable always", "enable replica", "enable rule", "disable rule"),
        ),
    ):
        if start.startswith(beginnings):
            target = cursor.tokens[-1].name
            return Change(kind=kind, table=table, name=start.split(maxsplit=1)[0], to=target, words=words, text=text)
    return Change(kind=Kind.ALTER_OTHER, table=table, words=words, text=text)
