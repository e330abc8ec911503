"""CREATE statements."""

from collections.abc import Iterator

from service.migrate.proof.lint.sql import columns, types
from service.migrate.proof.lint.sql.change import Change, Column, Constraint, Kind
from service.migrate.proof.lint.sql.cursor import Cursor, joined, listed, names_in


def created(cursor: Cursor, text: str) -> Iterator[Change]:
    """The change of the statement, read from behind CREATE."""
    words = frozenset(token.keyword for token in cursor.tokens[:8])
    kind = cursor.skip_to(
        *(
            "table",
            "index",
            "trigger",
            "function",
            "procedure",
            "view",
            "type",
            "domain",
            "policy",
            "publication",
            "sequence",
            "rule",
            "as",
        )
    )
    if kind == "table":
        yield _table(cursor, words, text)
    elif kind == "index":
        yield _index(cursor, words, text)
    elif kind == "trigger":
        cursor.take("if", "not", "exists")
        name = cursor.name()
        cursor.skip_to("on")
        yield Change(kind=Kind.CREATE_TRIGGER, name=name, table=cursor.name(), text=text, words=words)
    elif kind in ("function", "procedure"):
        yield Change(kind=Kind.CREATE_FUNCTION, name=cursor.name(), text=text)
    elif kind == "view":
        cursor.take("if", "not", "exists")
        yield Change(kind=Kind.CREATE_VIEW, name=cursor.name(), text=text, words=words)
    elif kind == "type":
        name = cursor.name()
        is_enum = cursor.take("as", "enum")
        yield Change(kind=Kind.CREATE_ENUM if is_enum else Kind.OTHER, name=name, text=text)
    elif kind == "domain":
        all_words = frozenset(token.keyword for token in cursor.tokens)
        name = cursor.name()
        cursor.take("as")
        base = types.spelled(joined(cursor.until("default", "constraint", "not", "null", "check", "collate")))
        yield Change(kind=Kind.CREATE_DOMAIN, name=name, to=base, words=all_words, text=text)
    elif kind in ("policy", "publication"):
        name = cursor.name()
        table = cursor.name() if cursor.take("on") else ""
        made = Kind.CREATE_POLICY if kind == "policy" else Kind.CREATE_PUBLICATION
        yield Change(kind=made, name=name, table=table, text=text)
    else:
        yield _other(kind, cursor, text)


def _other(kind: str, cursor: Cursor, text: str) -> Change:
    if kind == "sequence":
        cursor.take("if", "not", "exists")
        name = cursor.name()
        owner = cursor.name() if cursor.skip_to("owned") and cursor.take("by") else ""
        return Change(kind=Kind.CREATE_SEQUENCE, name=name, to=owner, text=text)
    if kind == "rule":
        name = cursor.name()
        cursor.skip_to("to")
        return Change(kind=Kind.CREATE_RULE, name=name, table=cursor.name(), text=text)
    return Change(kind=Kind.OTHER, name="create", text=text)


def _table(cursor: Cursor, words: frozenset[str], text: str) -> Change:
    cursor.take("if", "not", "exists")
    table = cursor.require()
    parent = cursor.name() if cursor.take("partition", "of") else ""
    found: list[Column] = []
    constraints: list[Constraint] = []
    for part in listed(cursor.group()):
        if columns.is_constraint(Cursor(part)):
            constraints.append(columns.constraint(part))
        else:
            found.append(columns.column(part))
    rest = joined(cursor.rest()).lower()
    marks = {
        "unlogged": "unlogged" in words,
        "partitioned": rest.startswith("partition by") or "partition by" in rest,
        "partition": bool(parent),
        "default": bool(parent) and rest.startswith("default"),
        "select": rest.startswith("as ") or " as select" in rest or " as ( select" in rest,
    }
    return Change(
        kind=Kind.CREATE_TABLE,
        table=table,
        to=parent,
        columns=tuple(found),
        constraints=tuple(constraints),
        words=words | {name for name, is_so in marks.items() if is_so},
        text=text,
    )


def _index(cursor: Cursor, words: frozenset[str], text: str) -> Change:
    cursor.take("concurrently")
    cursor.take("if", "not", "exists")
    name = "" if cursor.word() == "on" else cursor.name()
    cursor.take("on")
    # Of a partitioned table alone: the index is built with its partitions' indexes, which are attached later.
    only = {"only"} if cursor.word() == "only" else set()
    table = cursor.require()
    cursor.until("(")
    return Change(
        kind=Kind.CREATE_INDEX,
        name=name,
        table=table,
        names=names_in(cursor.group()),
        words=words | only,
        text=text,
    )
