"""What is on a column of PostgreSQL's, indexes and constraints, made again on the column beside that takes over."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql.attached import Attached, attached_to, column_comment, count, keyed
from service.migrate.errors import Refused
from service.migrate.operations.step import Lock, Step

_PROBE = "_roster_probe"
_OPEN = (" NOT VALID", " NOT ENFORCED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreated:
    """A column's indexes, unique constraints, checks and foreign keys, and those of the column `beside`."""

    table: str
    column: str
    shadow: str
    # Of the column beside.
    type_text: str

    def steps(self) -> list[Step]:
        """Make them on the column beside, while requests go on; what is there already is left as it is."""
        both = f"{self.table}.{self.shadow}"
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
            title=f"look at what {self.table} holds, for {self.shadow}",
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

    def renamed_over(self, connection: Connection) -> Iterator[str]:
        """Let those of the column beside have the names of the column's own, which are to go with it."""
        table = ddl.quoted(self.table)
        yield f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
        if (comment := column_comment(connection, self.table, self.column)) is not None:
            yield f"COMMENT ON COLUMN {table}.{ddl.quoted(self.shadow)} IS {ddl.literal(comment)}"
        for attached in attached_to(connection, self.table, self.column):
            name, shadow = ddl.quoted(attached.name), ddl.quoted(attached.shadow_name)
            gone = ddl.quoted(ddl.inner_name(f"{attached.name}_last"))
            if attached.is_constraint:
                yield f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {gone}"
            else:
                yield f"ALTER INDEX {name} RENAME TO {gone}"
            if attached.kind != "index":
                yield f"ALTER TABLE {table} RENAME CONSTRAINT {shadow} TO {name}"
            elif attached.is_constraint:
                yield f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {shadow}"
            else:
                yield f"ALTER INDEX {shadow} RENAME TO {name}"
            if attached.comment is not None:
                yield f"COMMENT ON INDEX {name} IS {ddl.literal(attached.comment)}"
            if attached.constraint_comment is not None:
                yield f"COMMENT ON CONSTRAINT {name} ON {table} IS {ddl.literal(attached.constraint_comment)}"

    def verified(self) -> str:
        """Raise an error if the column has what the one beside has not, which would be lost with it."""
        one, other = (count(self.table, name, "index", "check", "key") for name in (self.column, self.shadow))
        told = ddl.literal(f"{self.table}.{self.column} has an index or a constraint that {self.shadow} has not")
        return f"""DO $counted$
BEGIN
  IF {one} <> {other} THEN
    RAISE EXCEPTION USING MESSAGE = {told};
  END IF;
END $counted$"""

    def _has(self, kind: str) -> str:
        """Ask whether one is on the column or on the one beside."""
        return f"SELECT {count(self.table, self.column, kind)} + {count(self.table, self.shadow, kind)} > 0"

    def _built(self, connection: Connection) -> Iterator[str]:
        there, missing = self._compared(connection, "index")
        for attached in there:
            yield f"DROP INDEX CONCURRENTLY IF EXISTS {ddl.quoted(attached.name)}"
        for attached in missing:
            unique = "UNIQUE " if attached.is_unique else ""
            name = ddl.quoted(attached.shadow_name)
            yield f"CREATE {unique}INDEX CONCURRENTLY {name} ON {ddl.quoted(self.table)} {attached.text}"

    def _added(self, connection: Connection, *, kind: str) -> Iterator[str]:
        there, missing = self._compared(connection, kind)
        alter = f"ALTER TABLE {ddl.quoted(self.table)}"
        for attached in there:
            yield f"{alter} DROP CONSTRAINT {ddl.quoted(attached.name)}"
        for attached in missing:
            later = "" if attached.text.endswith(_OPEN) else " NOT VALID"
            yield f"{alter} ADD CONSTRAINT {ddl.quoted(attached.shadow_name)} {attached.text}{later}"

    def _validated(self, connection: Connection) -> Iterator[str]:
        valid = {each.shadow_name for each in attached_to(connection, self.table, self.column) if each.is_valid}
        for attached in attached_to(connection, self.table, self.shadow):
            if attached.kind != "index" and not attached.is_valid and attached.name in valid:
                yield f"ALTER TABLE {ddl.quoted(self.table)} VALIDATE CONSTRAINT {ddl.quoted(attached.name)}"

    def _compared(self, connection: Connection, kind: str) -> tuple[list[Attached], list[Attached]]:
        """What is on the column beside and should not be, and what should be and is not."""
        wanted = {each.shadow_name: each for each in self._wanted(connection) if each.kind == kind}
        there = [each for each in attached_to(connection, self.table, self.shadow) if each.kind == kind]

        def is_right(attached: Attached) -> bool:
            like = wanted.get(attached.name)
            is_same = like is not None and (like.is_unique, _whole(like.text)) == (
                attached.is_unique,
                _whole(attached.text),
            )
            return is_same and (attached.is_valid or kind != "index")

        right = {each.name for each in there if is_right(each)}
        return [each for each in there if each.name not in right], [
            each for name, each in wanted.items() if name not in right
        ]

    def _wanted(self, connection: Connection) -> list[Attached]:
        """What is on the column, with the text that it has on the one beside; in the words of PostgreSQL itself."""
        found = attached_to(connection, self.table, self.column)
        keys = keyed(connection, self.table, self.column, self.shadow)
        texts = self._probed(connection)
        changed = []
        for attached in found:
            if attached.kind == "key":
                before, after = keys[attached.name]
                told = f"{after}{attached.text.removeprefix(before)}" if attached.text.startswith(before) else None
            else:
                told = texts.get((attached.kind, attached.is_unique, attached.text))
            if told is None:
                raise Refused(
                    f"{attached.name} of {self.table} cannot be made again on {self.shadow}: {attached.text}."
                )
            changed.append(attached._replace(text=told))
        return changed

    def _probed(self, connection: Connection) -> dict[tuple[str, bool, str], str]:
        """The text on the column beside for each on the column: an empty copy's, before and after it is changed."""
        alter = f"ALTER TABLE {_PROBE}"
        copy = f"LIKE {ddl.quoted(self.table)} INCLUDING CONSTRAINTS INCLUDING INDEXES"
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} ({copy})")
        before = attached_to(connection, _PROBE, self.column)
        for change in (
            f"DROP COLUMN {ddl.quoted(self.shadow)}",
            f"RENAME COLUMN {ddl.quoted(self.column)} TO {ddl.quoted(self.shadow)}",
            f"ALTER COLUMN {ddl.quoted(self.shadow)} TYPE {self.type_text}",
        ):
            connection.exec_driver_sql(f"{alter} {change}")
        after = {(each.kind, each.name): each.text for each in attached_to(connection, _PROBE, self.shadow)}
        connection.exec_driver_sql(f"DROP TABLE {_PROBE}")
        return {(each.kind, each.is_unique, each.text): after[each.kind, each.name] for each in before}


def _whole(definition: str) -> str:
    return definition.removesuffix(_OPEN[0])
