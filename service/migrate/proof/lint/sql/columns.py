"""Definitions of columns and of constraints, as CREATE TABLE and ALTER TABLE write them."""

from collections.abc import Sequence
from dataclasses import replace

from service.migrate.dialects.postgresql.tokens import Token
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Column, Constraint
from service.migrate.proof.lint.sql.cursor import Cursor, joined, names_in

_BEHIND_TYPE = (
    *("constraint", "not", "null", "default", "primary", "unique", "references", "check", "generated", "collate"),
    *("storage", "compression", "deferrable", "initially", "as", "on", "using", "autoincrement", "enforced"),
)
_OF_TABLE = ("constraint", "primary", "unique", "foreign", "check", "exclude", "not", "like")


def is_constraint(cursor: Cursor) -> bool:
    """Whether a constraint of the table begins here, and not a column."""
    return cursor.word() in _OF_TABLE


def column(tokens: Sequence[Token]) -> Column:
    """Read `name type [constraint …]`."""
    cursor = Cursor(tokens)
    name = cursor.name()
    type = types.spelled(joined(cursor.until(*_BEHIND_TYPE)))
    nullable, identity, generated, collation = True, False, "", ""
    default: str | None = None
    found: list[Constraint] = []
    while not cursor.is_done:
        named = cursor.name() if cursor.take("constraint") else ""
        if cursor.take("not", "null"):
            nullable = False
        elif cursor.take("not", "enforced") and found:
            found[-1] = replace(found[-1], is_valid=False)
        elif cursor.take("collate"):
            collation = cursor.name()
        elif cursor.take("default"):
            default = _default(cursor)
        elif cursor.word() in _DECLARED:
            found.append(_declared(name, named, cursor))
        elif cursor.take("generated") or cursor.take("as"):
            generated, identity = _generated(cursor)
        else:
            cursor.at += 1
    is_key = any(each.kind == "primary key" for each in found)
    return Column(
        name=name,
        type=type,
        # Columns of a serial type, identity columns and keys are NOT NULL.
        is_nullable=nullable and not identity and type not in types.SERIAL and not is_key,
        default=default,
        generated=generated,
        is_identity=identity,
        collation=collation,
        constraints=tuple(found),
    )


_DECLARED = ("primary", "unique", "references", "check")


def _declared(column: str, name: str, cursor: Cursor) -> Constraint:
    """A constraint of one column, behind its name."""
    kind = cursor.any(*_DECLARED)
    if kind == "references":
        referred = cursor.name()
        cursor.group()
        options = _options(cursor)
        return Constraint(kind="foreign key", name=name, columns=(column,), referred=referred, options=options)
    if kind == "check":
        return Constraint(kind="check", name=name, columns=(column,), expression=joined(cursor.group()))
    cursor.take("key")
    return Constraint(kind="primary key" if kind == "primary" else kind, name=name, columns=(column,))


def _default(cursor: Cursor) -> str:
    """The expression of a default, which ends before the next constraint."""
    return joined(cursor.until(*(each for each in _BEHIND_TYPE if each not in ("null", "on", "as", "using")))) or (
        "null" if cursor.take("null") else ""
    )


def _generated(cursor: Cursor) -> tuple[str, bool]:
    cursor.take("always")
    cursor.take("by", "default")
    cursor.take("as")
    if cursor.take("identity"):
        cursor.group()
        return "", True
    cursor.group()
    return cursor.any("stored", "virtual") or "virtual", False


def _options(cursor: Cursor) -> str:
    """What a foreign key does when the row that it refers to goes, and whether it is deferrable."""
    found: list[str] = []
    while cursor.word() in ("on", "match", "deferrable", "initially") or (cursor.word(), cursor.word(1)) == _IMMEDIATE:
        length = _LENGTHS.get(cursor.word(), 2)
        length += cursor.word() == "on" and cursor.word(2) in ("set", "no")
        found += (cursor.word(ahead) for ahead in range(length))
        cursor.at += length
    return " ".join(found)


_IMMEDIATE = ("not", "deferrable")
_LENGTHS = {"on": 3, "deferrable": 1}


def _is_unproven(tokens: Sequence[Token]) -> bool:
    """Whether the constraint is added without a look at the rows that exist."""
    return joined(tokens).lower().endswith(("not valid", "not enforced"))


def constraint(tokens: Sequence[Token]) -> Constraint:
    """Read `[CONSTRAINT name] CHECK (…) [NOT VALID]` and its kin."""
    cursor = Cursor(tokens)
    name = cursor.name() if cursor.take("constraint") else ""
    valid = not _is_unproven(tokens)
    if cursor.take("check"):
        return Constraint(kind="check", name=name, expression=joined(cursor.group()), is_valid=valid)
    if cursor.take("foreign", "key"):
        own = names_in(cursor.group())
        cursor.take("references")
        referred = cursor.name()
        cursor.group()
        options = _options(cursor)
        return Constraint(
            kind="foreign key", name=name, columns=own, referred=referred, is_valid=valid, options=options
        )
    if cursor.take("exclude"):
        return Constraint(kind="exclude", name=name)
    if cursor.take("not", "null"):
        return Constraint(kind="not null", name=name, columns=(cursor.rest()[0].name,), is_valid=valid)
    kind = "primary key" if cursor.take("primary", "key") else "unique" if cursor.take("unique") else ""
    if cursor.take("using", "index"):
        return Constraint(kind=kind, name=name, index=cursor.name())
    cursor.until("(")
    return Constraint(kind=kind, name=name, columns=names_in(cursor.group()))
