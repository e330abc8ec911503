"""The way back from a wider type, which PostgreSQL had only noted down, to one that not every value fits."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection

from service.migrate import sql
from service.migrate.operations import conversions
from service.migrate.operations.carried import Carried
from service.migrate.operations.columns import rename_column, unfilled
from service.migrate.operations.conversions import Conversion
from service.migrate.operations.nulls import required
from service.migrate.operations.on_column import has_more
from service.migrate.operations.sync import converted
from service.migrate.operations.type_texts import has_type
from service.migrate.steps import Fill, Lock, Move, Place, Step, mirrored


def narrowed(place: Place, conversion: Conversion) -> tuple[Move, ...]:
    """A column of the old type is filled beside the wide one, gets what is on that, and takes over.

    One that has more on it than can be made beside is written again in its place, under the lock.
    """
    back = conversion.reversed
    table, name, beside = back.table, back.name, back.beside
    alter = f"ALTER TABLE {sql.quoted(table)}"
    trigger = back.trigger(place, beside.name)
    need = [] if back.column.nullable else required(place, table, beside.name)
    is_back = has_type(table, back.column)
    gone = sql.fitting(f"_last_{name}")
    kind = sql.type_text(back.column, "postgresql")
    carried = Carried(table=table, column=name, beside=beside.name, type_text=kind)
    swap = Step(
        title=f"let {table}.{name} be of its old type",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=is_back,
        made=carried.named,
        statements=(
            carried.counted(),
            *mirrored(trigger).statements,
            rename_column(table, name, gone),
            rename_column(table, beside.name, name),
            f"{alter} DROP COLUMN {sql.quoted(gone)}",
            sql.name_not_null(table, name),
            sql.touch_triggers(table),
        ),
    )
    in_place = Step(
        title=f"write {table}.{name} again in its old type",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=sql.either(is_back, sql.negated(has_more(table, name))),
        made=lambda connection: without_beside(connection, place, conversion),
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
        *carried.steps(),
    )
    # Whatever of it is in the catalog again when the type is the old one was done before a crash.
    return (in_place, *(_unless(is_back, move) for move in moves), swap)


def without_beside(connection: Connection, place: Place, conversion: Conversion) -> Iterator[str]:
    """Take away what a way back that was not ended has left: the column beside, and what is on it."""
    back = conversion.reversed
    if connection.exec_driver_sql(is_beside(conversion)).scalar():
        yield from mirrored(back.trigger(place, back.beside.name)).statements
        yield f"ALTER TABLE {sql.quoted(back.table)} DROP COLUMN {sql.quoted(back.beside.name)}"


def is_beside(conversion: Conversion) -> str:
    """Ask whether a way back was begun and not ended."""
    return sql.has_column("postgresql", conversion.table, conversion.reversed.beside.name)


def _unless(done: str, move: Move) -> Move:
    if isinstance(move, Fill):
        return replace(move, unless=done)
    return replace(move, done=done if move.done is None else sql.either(done, move.done))
