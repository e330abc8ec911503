"""What is on a column of PostgreSQL's, indexes and constraints, made again on the column beside that takes over."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql.attached import Thing, comment, count, keyed, things
from service.migrate.errors import Refused
from service.migrate.operations.step import Lock, Step

_PROBE = "_roster_probe"
_OPEN = (" NOT VALID", " NOT ENFORCED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A column's indexes, unique constraints, checks and foreign keys, and those of the column `beside`."""

    table: str
    column: str
    beside: str
    # Of the column beside.
    type_text: str

    def steps(self) -> list[Step]:
        """Make them on the column beside, while requests go on; what is there already is left as it is."""
        both = f"{self.table}.{self.beside}"
        build = Step(
            title=f"build the indexes of {both}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            alone=True,
            done=predicates.negated(self._has("index")),
            made=self._built,
            scripted=False,
        )
        analyze = Step(
            title=f"look at what {self.table} holds, for {self.beside}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"ANALYZE {ddl.quoted(self.table)}",),
        )
        checks = Step(
            title=f"hold new rows to the checks of {both}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(self._has("check")),
            made=partial(self._added, kind="check"),
            scripted=False,
        )
        keys = Step(
            title=f"hold new rows to the foreign keys of {both}",
            lock=Lock.SHARE_ROW_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(self._has("key")),
            made=partial(self._added, kind="key"),
            scripted=False,
        )
        validate = Step(
            title=f"hold all rows to the constraints of {both}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(predicates.either(self._has("check"), self._has("key"))),
            made=self._validated,
            scripted=False,
        )
        return [build, analyze, checks, keys, validate]

    def named(self, connection: Connection) -> Iterator[str]:
        """Let those of the column beside have the names of the column's own, which are to go with it."""
        table = ddl.quoted(self.table)
        yield f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
        if (told := comment(connection, self.table, self.column)) is not None:
            yield f"COMMENT ON COLUMN {table}.{ddl.quoted(self.beside)} IS {ddl.literal(told)}"
        for thing in things(connection, self.table, self.column):
            name, beside = ddl.quoted(thing.name), ddl.quoted(thing.beside)
            gone = ddl.quoted(ddl.inner_name(f"{thing.name}_last"))
            if thing.is_constraint:
                yield f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {gone}"
            else:
                yield f"ALTER INDEX {name} RENAME TO {gone}"
            if thing.kind != "index":
                yield f"ALTER TABLE {table} RENAME CONSTRAINT {beside} TO {name}"
            elif thing.is_constraint:
                yield f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {beside}"
            else:
                yield f"ALTER INDEX {beside} RENAME TO {name}"
            if thing.told is not None:
                yield f"COMMENT ON INDEX {name} IS {ddl.literal(thing.told)}"
            if thing.told_of_constraint is not None:
                yield f"COMMENT ON CONSTRAINT {name} ON {table} IS {ddl.literal(thing.told_of_constraint)}"

    def counted(self) -> str:
        """Raise an error if the column has what the one beside has not, which would be lost with it."""
        one, other = (count(self.table, name, "index", "check", "key") for name in (self.column, self.beside))
        told = ddl.literal(f"{self.table}.{self.column} has an index or a constraint that {self.beside} has not")
        return f"""DO $counted$
BEGIN
  IF {one} <> {other} THEN
    RAISE EXCEPTION USING MESSAGE = {told};
  END IF;
END $counted$"""

    def _has(self, kind: str) -> str:
        """Ask whether one is on the column or on the one beside."""
        return f"SELECT {count(self.table, self.column, kind)} + {count(self.table, self.beside, kind)} > 0"

    def _built(self, connection: Connection) -> Iterator[str]:
        there, missing = self._compared(connection, "index")
        for thing in there:
            yield f"DROP INDEX CONCURRENTLY IF EXISTS {ddl.quoted(thing.name)}"
        for thing in missing:
            unique = "UNIQUE " if thing.is_unique else ""
            name = ddl.quoted(thing.beside)
            yield f"CREATE {unique}INDEX CONCURRENTLY {name} ON {ddl.quoted(self.table)} {thing.text}"

    def _added(self, connection: Connection, *, kind: str) -> Iterator[str]:
        there, missing = self._compared(connection, kind)
        alter = f"ALTER TABLE {ddl.quoted(self.table)}"
        for thing in there:
            yield f"{alter} DROP CONSTRAINT {ddl.quoted(thing.name)}"
        for thing in missing:
            later = "" if thing.text.endswith(_OPEN) else " NOT VALID"
            yield f"{alter} ADD CONSTRAINT {ddl.quoted(thing.beside)} {thing.text}{later}"

    def _validated(self, connection: Connection) -> Iterator[str]:
        valid = {each.beside for each in things(connection, self.table, self.column) if each.is_valid}
        for thing in things(connection, self.table, self.beside):
            if thing.kind != "index" and not thing.is_valid and thing.name in valid:
                yield f"ALTER TABLE {ddl.quoted(self.table)} VALIDATE CONSTRAINT {ddl.quoted(thing.name)}"

    def _compared(self, connection: Connection, kind: str) -> tuple[list[Thing], list[Thing]]:
        """What is on the column beside and should not be, and what should be and is not."""
        wanted = {each.beside: each for each in self._wanted(connection) if each.kind == kind}
        there = [each for each in things(connection, self.table, self.beside) if each.kind == kind]

        def is_right(thing: Thing) -> bool:
            like = wanted.get(thing.name)
            is_same = like is not None and (like.is_unique, _whole(like.text)) == (thing.is_unique, _whole(thing.text))
            return is_same and (thing.is_valid or kind != "index")

        right = {each.name for each in there if is_right(each)}
        return [each for each in there if each.name not in right], [
            each for name, each in wanted.items() if name not in right
        ]

    def _wanted(self, connection: Connection) -> list[Thing]:
        """What is on the column, with the text that it has on the one beside; in the words of PostgreSQL itself."""
        found = things(connection, self.table, self.column)
        keys = keyed(connection, self.table, self.column, self.beside)
        texts = self._probed(connection)
        changed = []
        for thing in found:
            if thing.kind == "key":
                before, after = keys[thing.name]
                told = f"{after}{thing.text.removeprefix(before)}" if thing.text.startswith(before) else None
            else:
                told = texts.get((thing.kind, thing.is_unique, thing.text))
            if told is None:
                raise Refused(f"{thing.name} of {self.table} cannot be made again on {self.beside}: {thing.text}.")
            changed.append(thing._replace(text=told))
        return changed

    def _probed(self, connection: Connection) -> dict[tuple[str, bool, str], str]:
        """The text on the column beside for each on the column: an empty copy's, before and after it is changed."""
        alter = f"ALTER TABLE {_PROBE}"
        copy = f"LIKE {ddl.quoted(self.table)} INCLUDING CONSTRAINTS INCLUDING INDEXES"
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} ({copy})")
        before = things(connection, _PROBE, self.column)
        for change in (
            f"DROP COLUMN {ddl.quoted(self.beside)}",
            f"RENAME COLUMN {ddl.quoted(self.column)} TO {ddl.quoted(self.beside)}",
            f"ALTER COLUMN {ddl.quoted(self.beside)} TYPE {self.type_text}",
        ):
            connection.exec_driver_sql(f"{alter} {change}")
        after = {(each.kind, each.name): each.text for each in things(connection, _PROBE, self.beside)}
        connection.exec_driver_sql(f"DROP TABLE {_PROBE}")
        return {(each.kind, each.is_unique, each.text): after[each.kind, each.name] for each in before}


def _whole(definition: str) -> str:
    return definition.removesuffix(_OPEN[0])
