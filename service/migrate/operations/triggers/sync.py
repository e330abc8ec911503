"""Two columns of a row that a trigger keeps equal, whichever of the two is written."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import differ, type_of
from service.migrate.operations.step import Backfill, Step, Target
from service.migrate.operations.triggers.defaults import Defaults
from service.migrate.operations.triggers.trigger import Rank, SQLiteTrigger, guarded, row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """The old version writes `old`, the new version `new`.

    `up` converts an old value to a new one, `down` a new value to an old one: SQL expressions with `{}` for the value.
    Two values agree if one of the conversions maps one value to the other. A write of one column updates the other
    column; a write of both columns is stored unchanged. An INSERT writes the columns that differ from their default;
    NULL is a value.
    """

    table: str
    old: Column[Any]
    new: Column[Any]
    key: tuple[str, ...] = ("id",)
    up: str = "{}"
    down: str = "{}"

    @property
    def name(self) -> str:
        return naming.owned(f"sync_{self.table}_{self.new.name}")

    def trigger(self, target: Target) -> Step:
        """A BEFORE trigger on PostgreSQL, AFTER triggers on SQLite, which cannot change NEW."""
        return row_trigger(
            target,
            self.table,
            self.name,
            rank=Rank.SYNC,
            key=self.key,
            postgresql=self._body,
            sqlite=self._on_sqlite,
        )

    def fill(self, target: Target) -> Backfill:
        """Backfill of the new column, in the rows where it is NULL or does not agree with the old one."""
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        left = self._disagree(target.dialect, old, new, or_new_is_null=True)
        assign = {self.new.name: ddl.applied(self.up, old)}
        return Backfill(name=f"{self.table}.{self.new.name}", table=self.table, key=self.key, left=left, assign=assign)

    def fill_back(self, target: Target) -> Backfill:
        """Backfill of the old column for the downgrade, in the rows where it does not agree with the new one."""
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        left = self._disagree(target.dialect, old, new)
        assign = {self.old.name: ddl.applied(self.down, new)}
        return Backfill(name=f"{self.table}.{self.old.name}", table=self.table, key=self.key, left=left, assign=assign)

    def _disagree(self, database: str, old: str, new: str, *, or_new_is_null: bool = False) -> str:
        not_from_old = differ(database, self.new, new, converted(self.up, old))
        if self.is_copy:
            return not_from_old
        not_from_new = differ(database, self.old, old, converted(self.down, new))
        return f"{not_from_old} AND " + (f"({new} IS NULL OR {not_from_new})" if or_new_is_null else not_from_new)

    def defaults(self, database: str) -> Defaults:
        return Defaults(database=database, old=self.old, new=self.new, up=self.up)

    def _body(self) -> str:
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        from_old, from_new = self._from_old(old), converted(self.down, f"NEW.{new}")
        defaults = self.defaults("postgresql")
        gave_old, gave_new = defaults.wrote_old(f"NEW.{old}"), defaults.wrote_new(f"NEW.{new}")
        wrote_old = differ("postgresql", self.old, f"NEW.{old}", f"OLD.{old}")
        wrote_new = differ("postgresql", self.new, f"NEW.{new}", f"OLD.{new}")
        not_from_old = differ("postgresql", self.new, f"NEW.{new}", from_old)
        not_from_new = differ("postgresql", self.old, f"NEW.{old}", from_new)
        disagree = not_from_old
        if not self.is_copy:
            disagree = f"{not_from_old} AND (NEW.{new} IS NULL OR {not_from_new})"
        body = (
            "IF TG_OP = 'INSERT' THEN "
            f"IF NOT ({gave_new}) THEN NEW.{new} := {from_old}; "
            f"ELSIF NOT ({gave_old}) THEN NEW.{old} := {from_new}; END IF; "
            # The backfill writes the converted old value, which must not be converted back.
            f"ELSIF {wrote_new} THEN "
            f"IF NOT ({wrote_old}) AND {not_from_old} THEN NEW.{old} := {from_new}; END IF; "
            # An UPDATE may write a row before the backfill reaches that row.
            f"ELSIF ({wrote_old} OR NEW.{new} IS NULL) AND {disagree} THEN NEW.{new} := {from_old}; END IF;"
        )
        if self.up == "{}":
            return body
        assigned = guarded(f"{from_old} := {converted(self.up, f'NEW.{old}')}", f"{from_old} := NULL")
        return f"DECLARE {from_old} {type_of(self.new)}; BEGIN {assigned} {body} END;"

    @property
    def is_copy(self) -> bool:
        return self.up == self.down == "{}"

    def _from_old(self, old: str) -> str:
        """The converted value: a variable, since the conversion may fail on a row."""
        return f"NEW.{old}" if self.up == "{}" else "from_old"

    def _on_sqlite(self) -> dict[str, SQLiteTrigger]:
        return {
            "AFTER INSERT": self._after_insert(),
            f"AFTER UPDATE OF {ddl.quoted(self.old.name)}": self._after_update(self.old, self.new),
            f"AFTER UPDATE OF {ddl.quoted(self.new.name)}": self._after_update(self.new, self.old),
        }

    def _after_insert(self) -> SQLiteTrigger:
        """Conditions on the columns of the row: its affinities apply, and other triggers may have changed it."""
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        from_old, from_new = converted(self.up, old), converted(self.down, new)
        defaults = self.defaults("sqlite")
        gave_old, gave_new = defaults.wrote_old(old), defaults.wrote_new(new)
        settings = (
            f"SET {new} = CASE WHEN {gave_new} THEN {new} ELSE {from_old} END, "
            f"{old} = CASE WHEN {gave_new} AND NOT ({gave_old}) THEN {from_new} ELSE {old} END"
        )
        return SQLiteTrigger(settings=settings, where=differ("sqlite", self.new, new, from_old))

    def _after_update(self, changed: Column[Any], other: Column[Any]) -> SQLiteTrigger:
        one, two = ddl.quoted(changed.name), ddl.quoted(other.name)
        followed = converted(self.up if changed is self.old else self.down, one)
        wrote_one = differ("sqlite", changed, f"NEW.{one}", f"OLD.{one}")
        wrote_two = differ("sqlite", other, f"NEW.{two}", f"OLD.{two}")
        disagree = self._disagree("sqlite", ddl.quoted(self.old.name), ddl.quoted(self.new.name), or_new_is_null=True)
        return SQLiteTrigger(
            when=f"{wrote_one} AND NOT ({wrote_two})", settings=f"SET {two} = {followed}", where=disagree
        )


def converted(expression: str, value: str) -> str:
    """The expression applied to a value, in parentheses unless the expression is `{}`."""
    return value if expression == "{}" else f"({ddl.applied(expression, value)})"
