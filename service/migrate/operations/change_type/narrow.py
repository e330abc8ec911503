"""Downgrade of a catalog-only type change: shadow column, backfill, swap."""

from dataclasses import replace

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql import blocks, carry
from service.migrate.dialects.postgresql.attached import prevents_shadow
from service.migrate.dialects.types import has_type
from service.migrate.operations.change_type.conversion import Conversion, default_changed, default_moved, shadowed
from service.migrate.operations.change_type.recreate import Recreated
from service.migrate.operations.columns.actions import rename_column, required
from service.migrate.operations.step import Action, Backfill, Lock, Step, Target, inverted
from service.migrate.operations.triggers.sync import converted


def narrowed(target: Target, conversion: Conversion) -> tuple[Action, ...]:
    """The steps: fill a shadow column of the narrow type, build indexes and constraints on it, swap the two names.

    Where a dependent cannot be built on a shadow column, ALTER COLUMN TYPE rewrites the table under ACCESS EXCLUSIVE.
    """
    back = conversion.reversed
    table, name, shadow = back.table, back.name, back.shadow
    alter = f"ALTER TABLE {ddl.quoted(table)}"
    trigger = back.trigger(target, shadow.name)
    need = () if back.column.nullable else required(target, table, shadow.name)
    is_back = has_type(table, back.column)
    gone = ddl.fitting(f"_last_{name}")
    kind = ddl.type_text(back.column, "postgresql")
    recreated = Recreated(table=table, column=name, shadow=shadow.name, type_text=kind)
    swap = Step(
        title=f"SWAP COLUMN {table}.{name} TO OLD TYPE",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=is_back,
        generate=recreated.renamed_over,
        statements=(
            recreated.verified(),
            *inverted(trigger).statements,
            carry.carry_column(table, name, shadow.name),
            rename_column(table, name, gone),
            rename_column(table, shadow.name, name),
            *default_moved(table, back.column, gone),
            *(() if back.column.nullable else (blocks.carry_not_null(table, gone, name),)),
            f"{alter} DROP COLUMN {ddl.quoted(gone)}",
            blocks.touch_triggers(table),
        ),
    )
    in_place = Step(
        title=f"REWRITE COLUMN {table}.{name} IN OLD TYPE",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=predicates.either(is_back, predicates.negated(prevents_shadow(table, name))),
        statements=(
            without_shadow(target, conversion),
            carry.remember_storage(table, name),
            f"{alter} ALTER COLUMN {ddl.quoted(name)} TYPE {kind} USING {converted(back.using, ddl.quoted(name))}",
            carry.restore_storage(table, name),
            *default_changed(table, back.was, back.column),
            blocks.touch_triggers(table),
        ),
        scripted=False,
    )
    actions: tuple[Action, ...] = (
        replace(shadowed(target, back), undo=()),
        replace(trigger, undo=()),
        back.fill(shadow),
        *(replace(step, undo=()) for step in need),
        *recreated.steps(),
    )
    # A column that is narrow already was swapped before a crash: the earlier steps must not run again.
    return (in_place, *(_unless(is_back, action) for action in actions), swap)


def without_shadow(target: Target, conversion: Conversion) -> str:
    """A statement that drops the shadow column that an interrupted downgrade left, with its trigger."""
    back = conversion.reversed
    drop = f"ALTER TABLE {ddl.quoted(back.table)} DROP COLUMN {ddl.quoted(back.shadow.name)}"
    statements = "; ".join((*inverted(back.trigger(target, back.shadow.name)).statements, drop))
    return f"DO $shadow$ BEGIN IF ({has_shadow(conversion)}) THEN {statements}; END IF; END $shadow$"


def has_shadow(conversion: Conversion) -> str:
    """A query: whether an interrupted downgrade left its shadow column."""
    return predicates.has_column("postgresql", conversion.table, conversion.reversed.shadow.name)


def _unless(done: str, action: Action) -> Action:
    if isinstance(action, Backfill):
        return replace(action, unless=done)
    return replace(action, done=done if action.done is None else predicates.either(done, action.done))
