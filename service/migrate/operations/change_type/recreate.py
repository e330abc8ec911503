"""The indexes and constraints of a column, built on its shadow column before the swap (PostgreSQL)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.postgresql.attached import Attached, attached_to, count, keyed
from service.migrate.errors import Refused
from service.migrate.operations.step import Lock, Step

_PROBE = "_migration_probe"
_OPEN = (" NOT VALID", " NOT ENFORCED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreated:
    """The indexes, unique constraints, checks and foreign keys of a column and of its shadow column."""

    table: str
    column: str
    shadow: str
    # Of the shadow column.
    type_text: str

    def steps(self) -> list[Step]:
        """The steps that build the missing ones on the shadow column without blocking writes."""
        both = f"{self.table}.{self.shadow}"
        build = Step(
            title=f"CREATE INDEXES CONCURRENTLY ON {both}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            alone=True,
            done=predicates.negated(self._has("index")),
            generate=self._built,
            scripted=False,
        )
        analyze = Step(
            title=f"ANALYZE {self.table} FOR {self.shadow}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"ANALYZE {ddl.quoted(self.table)}",),
        )
        checks = Step(
            title=f"ADD CHECKS OF {both} NOT VALID",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(self._has("check")),
            generate=partial(self._added, kind="check"),
            scripted=False,
        )
        keys = Step(
            title=f"ADD FOREIGN KEYS OF {both} NOT VALID",
            lock=Lock.SHARE_ROW_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(self._has("key")),
            generate=partial(self._added, kind="key"),
            scripted=False,
        )
        validate = Step(
            title=f"VALIDATE CONSTRAINTS OF {both}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(predicates.either(self._has("check"), self._has("key"))),
            generate=self._validated,
            scripted=False,
        )
        return [build, analyze, checks, keys, validate]

    def renamed_over(self, connection: Connection) -> Iterator[str]:
        """Yield the statements that give those of the shadow column the original names and comments."""
        table = ddl.quoted(self.table)
        yield f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
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
        """A DO block that raises an error if something on the column is missing on the shadow column."""
        one, other = (count(self.table, name, "index", "check", "key") for name in (self.column, self.shadow))
        message = ddl.literal(f"{self.table}.{self.column} has an index or a constraint that {self.shadow} lacks")
        return f"""DO $counted$
BEGIN
  IF {one} <> {other} THEN
    RAISE EXCEPTION USING MESSAGE = {message};
  END IF;
END $counted$"""

    def _has(self, kind: str) -> str:
        """A query: whether the column or its shadow column has one of this kind."""
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
        """Those of the shadow column that are surplus, and those that it lacks."""
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
        """Those of the column, each with the definition that PostgreSQL gives it on the shadow column."""
        found = attached_to(connection, self.table, self.column)
        keys = keyed(connection, self.table, self.column, self.shadow)
        texts = self._probed(connection)
        changed = []
        for attached in found:
            if attached.kind == "key":
                before, after = keys[attached.name]
                definition = (
                    f"{after}{attached.text.removeprefix(before)}" if attached.text.startswith(before) else None
                )
            else:
                definition = texts.get((attached.kind, attached.is_unique, attached.text))
            if definition is None:
                raise Refused(f"{attached.name} of {self.table} cannot be recreated on {self.shadow}: {attached.text}.")
            changed.append(attached._replace(text=definition))
        return changed

    def _probed(self, connection: Connection) -> dict[tuple[str, bool, str], str]:
        """Definitions before and after the change, read from an empty temporary copy of the table."""
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
