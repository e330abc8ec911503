"""Definitions of columns and of constraints, as CREATE TABLE and ALTER TABLE write them."""

from collections.abc import Sequence

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
    nullable, identity, generated = True, False, ""
    default: str | None = None
    found: list[Constraint] = []
    while not cursor.is_done:
        named = cursor.name() if cursor.take("constraint") else ""
        if cursor.take("not", "null"):
            nullable = False
        elif cursor.take("default"):
            default = _default(cursor)
        elif cursor.take("primary", "key"):
            nullable = False
            found.append(Constraint(kind="primary key", name=named, columns=(name,)))
        elif cursor.take("unique"):
            found.append(Constraint(kind="unique", name=named, columns=(name,)))
        elif cursor.take("references"):
            found.append(Constraint(kind="foreign key", name=named, columns=(name,), referred=cursor.name()))
            cursor.group()
        elif cursor.take("check"):
            found.append(Constraint(kind="check", name=named, columns=(name,), expression=joined(cursor.group())))
        elif cursor.take("generated") or cursor.take("as"):
            generated, identity = _generated(cursor)
        else:
            cursor.at += 1
    return Column(
        name=name,
        type=type,
        # Columns of a serial type and identity columns are NOT NULL.
        is_nullable=nullable and not identity and type not in types.SERIAL,
        default=default,
        generated=generated,
        is_identity=identity,
        constraints=tuple(found),
    )


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


def constraint(tokens: Sequence[Token]) -> Constraint:
    """Read `[CONSTRAINT name] CHECK (…) [NOT VALID]` and its kin."""
    cursor = Cursor(tokens)
    name = cursor.name() if cursor.take("constraint") else ""
    words = {token.keyword for token in tokens}
    valid = not ({"not", "valid"} <= words and joined(tokens).lower().endswith("not valid"))
    if cursor.take("check"):
        return Constraint(kind="check", name=name, expression=joined(cursor.group()), is_valid=valid)
    if cursor.take("foreign", "key"):
        own = names_in(cursor.group())
        cursor.take("references")
        return Constraint(kind="foreign key", name=name, columns=own, referred=cursor.name(), is_valid=valid)
    if cursor.take("exclude"):
        return Constraint(kind="exclude", name=name)
    if cursor.take("not", "null"):
        return Constraint(kind="not null", name=name, columns=(cursor.rest()[0].name,), is_valid=valid)
    kind = "primary key" if cursor.take("primary", "key") else "unique" if cursor.take("unique") else ""
    if cursor.take("using", "index"):
        return Constraint(kind=kind, name=name, index=cursor.name())
    cursor.until("(")
    return Constraint(kind=kind, name=name, columns=names_in(cursor.group()))
