"""Steps that several operations on constraints share."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Constraint, MetaData, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.operations.step import Lock, Step, Target, altered


def in_two_parts(
    target: Target, table: str, constraint: Constraint, *, referred: str | None = None
) -> tuple[Step, ...]:
    """ADD CONSTRAINT NOT VALID, which checks new rows only, then VALIDATE CONSTRAINT without blocking writes."""
    if target.is_sqlite:
        return (at_once(target, table, constraint),)
    name = str(constraint.name)
    attach(constraint, table)
    text = ddl.add_constraint(constraint, target.dialect)
    add = Step(
        title=f"ADD CONSTRAINT {name} ON {table} NOT VALID",
        lock=Lock.SHARE_ROW_EXCLUSIVE if referred else Lock.ACCESS_EXCLUSIVE,
        tables=_both(table, referred),
        done=predicates.has_constraint(target.dialect, table, name),
        statements=(
            text if is_not_valid(constraint) else f"{text} NOT VALID",
            *ddl.comments(constraint, target.dialect),
        ),
        undo=(dropped(target, table, name, referred=referred),),
    )
    if is_not_valid(constraint):
        return (add,)
    validate = Step(
        title=f"VALIDATE CONSTRAINT {name} ON {table}",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        tables=(table,),
        done=predicates.has_constraint(target.dialect, table, name, valid=True),
        statements=(f"ALTER TABLE {ddl.quoted(table)} VALIDATE CONSTRAINT {ddl.quoted(name)}",),
    )
    return (add, validate)


def is_not_valid(constraint: Constraint) -> bool:
    """Whether PostgreSQL never checks the existing rows: `postgresql_not_valid=True`."""
    return bool(constraint.dialect_options["postgresql"].get("not_valid"))


def deferrability(constraint: Constraint) -> str:
    """DEFERRABLE and INITIALLY DEFERRED as pg_get_constraintdef writes them."""
    is_deferred = (constraint.initially or "").upper() == "DEFERRED"
    text = " DEFERRABLE" if constraint.deferrable or is_deferred else ""
    return f"{text} INITIALLY DEFERRED" if is_deferred else text


def options_of(constraint: Constraint) -> dict[str, Any]:
    """The options of a constraint that are set, as arguments of its class."""
    found = {name: getattr(constraint, name, None) for name in ("deferrable", "initially", "match", "comment")}
    return {name: value for name, value in found.items() if value is not None} | dict(constraint.dialect_kwargs)


def at_once(target: Target, table: str, constraint: Constraint) -> Step:
    """SQLite: add the constraint by a rebuild, which checks every row."""
    name = str(constraint.name)
    attach(constraint, table)
    text = ddl.constraint_text(constraint, target.dialect)
    return Step(
        title=f"ADD CONSTRAINT {name} ON {table}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.has_constraint(target.dialect, table, name),
        edit=Edit(table=table, change=lambda definition: definition.add_constraint(text)),
        undo=(dropped(target, table, name),),
    )


def attach(constraint: Constraint, table: str) -> None:
    """Attach the constraint to a table if it has none: SQLAlchemy compiles only attached constraints."""
    if getattr(constraint, "parent", None) is None:
        Table(table, MetaData(), constraint)


def _both(table: str, referred: str | None) -> tuple[str, ...]:
    """The tables that a step locks; a foreign key to its own table locks one."""
    return tuple(dict.fromkeys(filter(None, (table, referred))))


def dropped(target: Target, table: str, name: str, *, referred: str | None = None) -> Step:
    """DROP CONSTRAINT; a foreign key's DROP also locks `referred`."""
    drop = altered(
        target,
        f"DROP CONSTRAINT {name} ON {table}",
        f"ALTER TABLE {ddl.quoted(table)} DROP CONSTRAINT {ddl.quoted(name)}",
        Edit(table=table, change=lambda definition: definition.drop_constraint(name)),
        done=predicates.negated(predicates.has_constraint(target.dialect, table, name)),
    )
    return replace(drop, tables=_both(table, referred))
