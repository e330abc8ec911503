"""Two columns of a row that say the same thing, kept in agreement whichever of them is written."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column

from service.migrate import sql
from service.migrate.operations.programs import row_trigger
from service.migrate.steps import Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """`old` is what the code before knows, `new` what the code after does.

    `up` makes the new value of the old, `down` the old of the new: SQL expressions with `{}` where the value goes. Who
    writes one of the two lets the other follow; who writes both is believed. A row that is inserted with one of them
    different from its default was given that one.
    """

    table: str
    old: Column[Any]
    new: Column[Any]
    up: str = "{}"
    down: str = "{}"

    def trigger(self, place: Place) -> Step:
        """On PostgreSQL the row is completed before it is stored, on SQLite right after."""
        name = f"roster_sync_{self.table}_{self.new.name}"
        (step,) = row_trigger(
            place,
            self.table,
            name,
            postgresql=self._body(),
            sqlite={
                "AFTER INSERT": self._after_insert(place),
                f"AFTER UPDATE OF {sql.quoted(self.old.name)}": self._after_update(self.old, self.new),
                f"AFTER UPDATE OF {sql.quoted(self.new.name)}": self._after_update(self.new, self.old),
            },
        )
        return step

    def _body(self) -> str:
        old, new = sql.quoted(self.old.name), sql.quoted(self.new.name)
        was = sql.default_text(self.old, "postgresql") or "NULL"
        from_old = self.up.format(f"NEW.{old}")
        from_new = self.down.format(f"NEW.{new}")
        given_old = f"(NEW.{old} IS DISTINCT FROM {was} OR NEW.{new} IS NULL)"
        # Not where the new value is what the old one says: the way there and back may not lead to the same.
        changed_new = f"NEW.{old} IS NOT DISTINCT FROM OLD.{old} AND NEW.{new} IS DISTINCT FROM {from_old}"
        # Also a row that the backfill has not come to yet.
        changed_old = f"NEW.{old} IS DISTINCT FROM OLD.{old} OR NEW.{new} IS NULL"
        return (
            "IF TG_OP = 'INSERT' THEN "
            f"IF NEW.{new} IS NOT DISTINCT FROM {self._default('postgresql')} AND {given_old} "
            f"THEN NEW.{new} := {from_old}; "
            f"ELSIF NEW.{old} IS NOT DISTINCT FROM {was} THEN NEW.{old} := {from_new}; END IF; "
            f"ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN "
            f"IF {changed_new} THEN NEW.{old} := {from_new}; END IF; "
            f"ELSIF {changed_old} THEN NEW.{new} := {from_old}; END IF;"
        )

    def _after_insert(self, place: Place) -> tuple[str, str]:
        old, new = sql.quoted(self.old.name), sql.quoted(self.new.name)
        was = sql.default_text(self.old, place.dialect) or "NULL"
        from_old = self.up.format(f"NEW.{old}")
        from_new = self.down.format(f"NEW.{new}")
        given_new = f"NEW.{new} IS NOT {self._default(place.dialect)}"
        settings = (
            f"SET {new} = CASE WHEN {given_new} THEN NEW.{new} ELSE {from_old} END, "
            f"{old} = CASE WHEN {given_new} AND NEW.{old} IS {was} THEN {from_new} ELSE NEW.{old} END"
        )
        return f"NEW.{new} IS NOT {from_old}", settings

    def _after_update(self, changed: Column[Any], other: Column[Any]) -> tuple[str, str]:
        one, two = sql.quoted(changed.name), sql.quoted(other.name)
        old, new = sql.quoted(self.old.name), sql.quoted(self.new.name)
        followed = (self.up if changed is self.old else self.down).format(f"NEW.{one}")
        disagree = f"NEW.{new} IS NOT {self.up.format(f'NEW.{old}')}"
        return f"NEW.{one} IS NOT OLD.{one} AND NEW.{two} IS OLD.{two} AND {disagree}", f"SET {two} = {followed}"

    def _default(self, database: str) -> str:
        return sql.default_text(self.new, database) or "NULL"
