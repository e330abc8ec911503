"""The way back from a wider type, which PostgreSQL had only noted down, to one that not every value fits."""

from dataclasses import replace

from service.migrate import sql
from service.migrate.operations import conversions
from service.migrate.operations.columns import rename_column, unfilled
from service.migrate.operations.conversions import Conversion
from service.migrate.operations.nulls import required
from service.migrate.operations.sync import converted
from service.migrate.operations.type_texts import has_type
from service.migrate.steps import Fill, Lock, Move, Place, Step, mirrored


def narrowed(place: Place, conversion: Conversion) -> tuple[Move, ...]:
    """A column of the old type is filled beside the wide one and takes over.

    One that has an index or a constraint is written again in its place, under the lock: a column beside would not have
    them.
    """
    back = conversion.reversed
    table, name, beside = back.table, back.name, back.beside
    alter = f"ALTER TABLE {sql.quoted(table)}"
    trigger = back.trigger(place, beside.name)
    need = [] if back.column.nullable else required(place, table, beside.name)
    is_back = has_type(table, back.column)
    used = _is_used(table, name)
    gone = sql.fitting(f"_last_{name}")
    swap = Step(
        title=f"let {table}.{name} be of its old type",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=is_back,
        statements=(
            *mirrored(trigger).statements,
            rename_column(table, name, gone),
            rename_column(table, beside.name, name),
            f"{alter} DROP COLUMN {sql.quoted(gone)}",
            sql.name_not_null(table, name),
            sql.touch_triggers(table),
        ),
    )
    kind = sql.type_text(back.column, "postgresql")
    in_place = Step(
        title=f"write {table}.{name} again in its old type",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=sql.either(is_back, sql.negated(used)),
        statements=(
            f"{alter} ALTER COLUMN {sql.quoted(name)} TYPE {kind} USING {converted(back.using, sql.quoted(name))}",
            *conversions.default_changed(table, back.was, back.column),
            sql.touch_triggers(table),
        ),
        scripted=False,
    )
    moves: tuple[Move, ...] = (
        replace(unfilled(place, table, beside), undo=()),
        replace(trigger, undo=()),
        back.fill(beside),
        *(replace(step, undo=()) for step in need),
    )
    # Whatever of it is in the catalog again when the type is the old one was done before a crash.
    return (in_place, *(_unless(is_back, move) for move in moves), swap)


def _is_used(table: str, column: str) -> str:
    """Ask whether an index or a constraint other than NOT NULL is on a column."""
    attribute = (
        f"(SELECT attnum FROM pg_attribute WHERE attrelid = refobjid AND attname = {sql.literal(column)} "
        "AND NOT attisdropped)"
    )
    return (
        "SELECT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_class'::regclass "
        f"AND refobjid = to_regclass({sql.literal(sql.quoted(table))}) AND refobjsubid = {attribute} "
        "AND (classid = 'pg_class'::regclass AND objid <> refobjid OR classid = 'pg_constraint'::regclass "
        "AND objid IN (SELECT oid FROM pg_constraint WHERE contype <> 'n')))"
    )


def _unless(done: str, move: Move) -> Move:
    if isinstance(move, Fill):
        return replace(move, unless=done)
    return replace(move, done=done if move.done is None else sql.either(done, move.done))
