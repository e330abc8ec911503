"""Two columns of a row that say the same thing, kept in agreement whichever of them is written."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column

from service.migrate.dialects import ddl
from service.migrate.dialects.types import affinity
from service.migrate.operations.step import Fill, Step, Target
from service.migrate.operations.triggers.trigger import row_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """`old` is what the code before knows, `new` what the code after does.

    `up` makes the new value of the old, `down` the old of the new: SQL expressions with `{}` where the value goes. Two
    values agree if one of them makes the other: neither way needs to lead back to where it came from. Who writes one of
    the two lets the other follow; who writes both is believed. A row that is inserted with one of them different from
    its default was given that one.
    """

    table: str
    old: Column[Any]
    new: Column[Any]
    key: tuple[str, ...] = ("id",)
    up: str = "{}"
    down: str = "{}"

    def trigger(self, target: Target) -> Step:
        """On PostgreSQL the row is completed before it is stored, on SQLite right after."""
        return row_trigger(
            target,
            self.table,
            f"roster_sync_{self.table}_{self.new.name}",
            key=self.key,
            postgresql=self._body(),
            sqlite={
                "AFTER INSERT": self._after_insert(),
                f"AFTER UPDATE OF {ddl.quoted(self.old.name)}": self._after_update(self.old, self.new),
                f"AFTER UPDATE OF {ddl.quoted(self.new.name)}": self._after_update(self.new, self.old),
            },
        )

    def fill(self, target: Target) -> Fill:
        """The new column filled where it has no value that agrees; who wrote it already is left alone."""
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        left = self._disagree(target.dialect, old, new, or_new_is_null=True)
        assign = {self.new.name: ddl.applied(self.up, old)}
        return Fill(name=f"{self.table}.{self.new.name}", table=self.table, key=self.key, left=left, assign=assign)

    def fill_back(self, target: Target) -> Fill:
        """The old column filled where it does not agree with the new one, which alone was written meanwhile."""
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        left = self._disagree(target.dialect, old, new)
        assign = {self.old.name: ddl.applied(self.down, new)}
        return Fill(name=f"{self.table}.{self.old.name}", table=self.table, key=self.key, left=left, assign=assign)

    def _disagree(self, database: str, old: str, new: str, *, or_new_is_null: bool = False) -> str:
        not_from_old = differ(database, self.new, new, converted(self.up, old))
        if self.up == self.down == "{}":
            return not_from_old
        not_from_new = differ(database, self.old, old, converted(self.down, new))
        return f"{not_from_old} AND " + (f"({new} IS NULL OR {not_from_new})" if or_new_is_null else not_from_new)

    def _body(self) -> str:
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        from_old, from_new = converted(self.up, f"NEW.{old}"), converted(self.down, f"NEW.{new}")

        def changed(column: Column[Any], was: str) -> str:
            return differ("postgresql", column, f"NEW.{ddl.quoted(column.name)}", was)

        given_old = changed(self.old, default("postgresql", self.old))
        given_new = changed(self.new, default("postgresql", self.new))
        wrote_old, wrote_new = changed(self.old, f"OLD.{old}"), changed(self.new, f"OLD.{new}")
        disagree = self._disagree("postgresql", f"NEW.{old}", f"NEW.{new}", or_new_is_null=True)
        return (
            "IF TG_OP = 'INSERT' THEN "
            f"IF NOT ({given_new}) AND ({given_old} OR NEW.{new} IS NULL) THEN NEW.{new} := {from_old}; "
            f"ELSIF NOT ({given_old}) THEN NEW.{old} := {from_new}; END IF; "
            # Not where the new value is what the old one says: the backfill's.
            f"ELSIF {wrote_new} THEN "
            f"IF NOT ({wrote_old}) AND {changed(self.new, from_old)} THEN NEW.{old} := {from_new}; END IF; "
            # Also a row that the backfill has not come to yet.
            f"ELSIF ({wrote_old} OR NEW.{new} IS NULL) AND {disagree} THEN NEW.{new} := {from_old}; END IF;"
        )

    def _after_insert(self) -> tuple[str, str]:
        old, new = ddl.quoted(self.old.name), ddl.quoted(self.new.name)
        from_old, from_new = converted(self.up, f"NEW.{old}"), converted(self.down, f"NEW.{new}")
        given_old = differ("sqlite", self.old, f"NEW.{old}", default("sqlite", self.old))
        given_new = differ("sqlite", self.new, f"NEW.{new}", default("sqlite", self.new))
        follows_old = f"NOT ({given_new}) AND ({given_old} OR NEW.{new} IS NULL)"
        settings = (
            f"SET {new} = CASE WHEN {follows_old} THEN {from_old} ELSE NEW.{new} END, "
            f"{old} = CASE WHEN {follows_old} OR {given_old} THEN NEW.{old} ELSE {from_new} END"
        )
        return differ("sqlite", self.new, f"NEW.{new}", from_old), settings

    def _after_update(self, changed: Column[Any], other: Column[Any]) -> tuple[str, str]:
        one, two = ddl.quoted(changed.name), ddl.quoted(other.name)
        old, new = f"NEW.{ddl.quoted(self.old.name)}", f"NEW.{ddl.quoted(self.new.name)}"
        followed = converted(self.up if changed is self.old else self.down, f"NEW.{one}")
        disagree = self._disagree("sqlite", old, new, or_new_is_null=True)
        return f"NEW.{one} IS NOT OLD.{one} AND NEW.{two} IS OLD.{two} AND {disagree}", f"SET {two} = {followed}"


def converted(expression: str, value: str) -> str:
    """The expression with a value, in parentheses where it is more than that."""
    return value if expression == "{}" else f"({ddl.applied(expression, value)})"


def differ(database: str, column: Column[Any], one: str, other: str) -> str:
    """Whether two values for a column are not the same, NULL being a value."""
    if database == "sqlite":
        return f"{one} IS NOT {other}"
    # These two cannot be compared.
    if ddl.type_text(column, database) in ("JSON", "XML"):
        one, other = f"{one}::text", f"{other}::text"
    return f"{one} IS DISTINCT FROM {other}"


def default(database: str, column: Column[Any]) -> str:
    """What a column has in a row that is written without it."""
    text = ddl.default_text(column, database)
    if text is None:
        return "NULL"
    if database == "sqlite":
        # The column would make a number of a text, or a text of a number; a comparison does not.
        is_text = affinity(column.type) in ("text", "blob")
        number = re.fullmatch(r"'?(-?\d+(?:\.\d+)?)'?", text)
        return f"({text})" if number is None else f"'{number[1]}'" if is_text else number[1]
    kind = re.sub(r" COLLATE .*", "", ddl.type_text(column, database))
    return f"CAST({text} AS {kind})"
