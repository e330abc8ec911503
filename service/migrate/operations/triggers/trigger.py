"""`trigger`, `function` and their drops, and the row triggers of other operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.sqlite.mirror_table import refuse_row_names
from service.migrate.operations import dependents, text_uses
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import Lock, Step, Target, inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Operation):
    """CREATE TRIGGER, on the databases for which a text is given."""

    name: str
    table: str
    postgresql: str | None = None
    sqlite: str | None = None

    def phases(self, target: Target, /) -> Phases:
        created = self._created(target)
        there = predicates.has_trigger(target.dialect, self.table, self.name)
        return Phases(
            requires=((self.table, ()),),
            preconditions=(dependents.absent(dependents.trigger(self.name), there),) if created else (),
            expand=created,
        )

    def _created(self, target: Target) -> tuple[Step, ...]:
        text = self.sqlite if target.is_sqlite else self.postgresql
        if text is None:
            return ()
        there = predicates.has_trigger(target.dialect, self.table, self.name)
        on = "" if target.is_sqlite else f" ON {ddl.quoted(self.table)}"
        drop = Step(
            title=f"DROP TRIGGER {self.name} ON {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(there),
            statements=(f"DROP TRIGGER {ddl.quoted(self.name)}{on}",),
        )
        create = Step(
            title=f"CREATE TRIGGER {self.name} ON {self.table}",
            lock=Lock.SHARE_ROW_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            statements=(text.strip(),),
            undo=(drop,),
        )
        return (create,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTrigger(Trigger):
    """DROP TRIGGER; the text is for the downgrade."""

    def phases(self, target: Target, /) -> Phases:
        return Phases(
            requires=((self.table, ()),),
            expand=tuple(inverted(step) for step in self._created(target)),
            frees=frozenset({dependents.trigger(self.name)}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(Operation):
    """CREATE FUNCTION without arguments, for triggers; nothing on SQLite."""

    name: str
    postgresql: str

    def phases(self, target: Target, /) -> Phases:
        if target.is_sqlite:
            return Phases()
        there = predicates.has_function(self.name)
        return Phases(
            preconditions=(dependents.absent(dependents.function(self.name), there),), expand=(self._created(),)
        )

    def _created(self) -> Step:
        there = predicates.has_function(self.name)
        drop = Step(
            title=f"DROP FUNCTION {self.name}",
            done=predicates.negated(there),
            statements=(f"DROP FUNCTION {ddl.quoted(self.name)}()",),
        )
        title = f"CREATE FUNCTION {self.name}"
        return Step(title=title, done=there, statements=(self.postgresql.strip(),), undo=(drop,))


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFunction(Function):
    """DROP FUNCTION; the text is for the downgrade."""

    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        if target.is_sqlite:
            return Phases()
        why = f"The function {self.name} cannot be dropped before its dependents"
        named = f"The function {self.name} cannot be dropped, since the text of these may call it"
        return Phases(
            preconditions=(
                dependents.of_function(self.name, why),
                *text_uses.of_function(self.name, named, self.uses_checked),
            ),
            expand=(inverted(self._created()),),
            frees=frozenset({dependents.function(self.name)}),
        )


class Rank(IntEnum):
    """The order of the migrator's BEFORE triggers on one table, each of which reads what those before it wrote."""

    SYNC = 1
    FOLLOW = 2
    FILL = 3
    TYPE = 4


class SQLiteTrigger(NamedTuple):
    """A trigger that updates the row: its SET clause, a condition on NEW and OLD, and a condition on the row."""

    settings: str
    when: str = ""
    where: str = ""


def row_trigger(
    target: Target,
    table: str,
    name: str,
    *,
    rank: Rank,
    key: tuple[str, ...],
    postgresql: Callable[[], str],
    sqlite: Callable[[], Mapping[str, SQLiteTrigger]] = dict,
) -> Step:
    """A trigger FOR EACH ROW on INSERT and UPDATE.

    `postgresql` returns the body of a BEFORE trigger function, which may change NEW; `sqlite` the triggers by event
    (`AFTER UPDATE OF x`).
    """
    name = ddl.inner_name(name)
    if target.is_sqlite:
        refuse_row_names(table)
        triggers = {
            f"{name}_{number}": _on_sqlite(table, f"{name}_{number}", key, event, trigger)
            for number, (event, trigger) in enumerate(sqlite().items(), start=1)
        }
        there = predicates.both(*(predicates.has_trigger(target.dialect, table, each) for each in triggers))
        creates = tuple(triggers.values())
        drops = tuple(f"DROP TRIGGER IF EXISTS {ddl.quoted(each)}" for each in triggers)
    else:
        function, on = f"{ddl.quoted(name)}()", ddl.quoted(table)
        trigger = ddl.quoted(trigger_name(target, name, rank))
        there = predicates.has_trigger_of(table, name)
        head = f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS"
        creates = (
            f"{head} $$ BEGIN {postgresql()} RETURN NEW; END $$",
            f"CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {on} FOR EACH ROW EXECUTE FUNCTION {function}",
            # Rows that logical replication applies are written in the mode `replica`.
            f"ALTER TABLE {on} ENABLE ALWAYS TRIGGER {trigger}",
        )
        # An earlier version of the migrator gave the trigger the name of its function.
        names = (trigger, ddl.quoted(name))
        drops = (*(f"DROP TRIGGER IF EXISTS {each} ON {on}" for each in names), f"DROP FUNCTION IF EXISTS {function}")
    return Step(
        title=f"CREATE TRIGGER {name} ON {table}",
        lock=Lock.SHARE_ROW_EXCLUSIVE,
        tables=(table,),
        done=there,
        statements=creates,
        undo=(
            Step(
                title=f"DROP TRIGGER {name} ON {table}",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(table,),
                done=predicates.negated(there),
                statements=drops,
            ),
        ),
    )


def guarded(assignment: str, otherwise: str) -> str:
    """PL/pgSQL: an assignment whose failure is not the caller's; the backfill fails on the row instead."""
    return (
        f"BEGIN {assignment}; EXCEPTION WHEN OTHERS THEN "
        # A serialization failure or a deadlock ends the caller's transaction.
        f"IF SQLSTATE LIKE '40%' THEN RAISE; END IF; {otherwise}; END;"
    )


def trigger_name(target: Target, name: str, rank: Rank) -> str:
    """The trigger of a function: PostgreSQL fires triggers in the order of their names, this one after most others."""
    return ddl.inner_name(name if target.is_sqlite else f"zzz_{rank}_{name}")


def _on_sqlite(table: str, name: str, key: tuple[str, ...], event: str, trigger: SQLiteTrigger) -> str:
    when = f" WHEN {trigger.when}" if trigger.when else ""
    same = " AND ".join(f"{ddl.quoted(each)} = NEW.{ddl.quoted(each)}" for each in key)
    where = f" AND ({trigger.where})" if trigger.where else ""
    return (
        f"CREATE TRIGGER {ddl.quoted(name)} {event} ON {ddl.quoted(table)}{when} "
        f"BEGIN UPDATE {ddl.quoted(table)} {trigger.settings} WHERE {same}{where}; END"
    )
