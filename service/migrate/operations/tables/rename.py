"""`rename_table`, with the old name for the old version until the contract."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from service.migrate.dialects import ddl, predicates, reflected
from service.migrate.dialects.postgresql import blocks, carry
from service.migrate.dialects.sqlite import mirror_table
from service.migrate.operations import dependents, text_uses
from service.migrate.operations.base import Operation, Phases
from service.migrate.operations.step import CATALOG, Lock, Precondition, Step, Target, inverted
from service.migrate.operations.tables.actions import rename_table
from service.migrate.operations.triggers import others


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable(Operation):
    """A table under a new name, and the old name for the old version.

    On PostgreSQL the old name becomes an updatable view
    (https://www.postgresql.org/docs/current/sql-createview.html, Updatable Views). On SQLite a view supports neither
    RETURNING nor ON CONFLICT: the new name is a mirror table, kept equal by triggers, until the contract replaces it.
    """

    table: str
    to: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("id",)
    uses_checked: tuple[str, ...] = ()

    def phases(self, target: Target, /) -> Phases:
        on_sqlite = target.is_sqlite
        beside = (others.none_ignores(self.table),) if on_sqlite else ()
        why = f"The name {self.table} cannot be removed before its dependents are dropped in contract()"
        named = f"The name {self.table} cannot be removed, since the text of these may have it"
        return Phases(
            requires=((self.table, (*self.columns, *self.key)),),
            creates=frozenset({self.to}),
            provides=((self.to, self.columns),),
            preconditions=(self._all_listed(), *(beside if on_sqlite else self._no_rows_taken())),
            expand=(self._mirror() if on_sqlite else self._renamed(),),
            contract_preconditions=beside
            if on_sqlite
            else (
                dependents.of_table(self.table, why),
                *text_uses.of_table(self.table, named, self.uses_checked),
            ),
            contract=(self._mirror_replaced() if on_sqlite else inverted(self._view()),),
        )

    def _all_listed(self) -> Precondition:
        def find(connection: Connection) -> list[tuple[Any, ...]]:
            listed = {reflected.folded(connection.dialect.name, name) for name in self.columns}
            there = reflected.columns(connection, self.table)
            return [(each["name"],) for name, each in there.items() if name not in listed and not ddl.is_trash(name)]

        why = f"{self.table} has columns that ops.rename_table does not list, so that the old version would lose them"
        return Precondition(why=why, rows=find, table=self.table, script=CATALOG)

    def _no_rows_taken(self) -> tuple[Precondition, ...]:
        """A view has a row type of its own: calls with a row of it would find no function."""
        what = f"{self.table} cannot become a view, since these take its rows, truncate it, or name its constraints"
        return text_uses.of_row_type(self.table, what, self.uses_checked)

    def _renamed(self) -> Step:
        back = Step(
            title=f"RENAME TABLE {self.to} TO {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to, self.table),
            done=predicates.has_table("postgresql", self.table),
            statements=(
                f"DROP VIEW IF EXISTS {ddl.quoted(self.table)}",
                rename_table(self.to, self.table),
                blocks.rename_not_null(self.to, self.table, *self.columns),
            ),
        )
        return Step(
            title=f"RENAME TABLE {self.table} TO {self.to}, CREATE VIEW {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.both(
                predicates.has_table("postgresql", self.to),
                predicates.negated(predicates.has_table("postgresql", self.table)),
            ),
            statements=(
                rename_table(self.table, self.to),
                blocks.rename_not_null(self.table, self.to, *self.columns),
                *self._view().statements,
            ),
            undo=(back,),
        )

    def _view(self) -> Step:
        view, columns, table = ddl.quoted(self.table), ddl.listed(self.columns), ddl.quoted(self.to)
        there = predicates.has_view("postgresql", self.table)
        drop = Step(
            title=f"DROP VIEW {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(there),
            statements=(f"DROP VIEW {view}",),
        )
        return Step(
            title=f"CREATE VIEW {self.table} AS TABLE {self.to}",
            done=there,
            statements=(
                # security_invoker: the view checks the caller's own privileges.
                f"CREATE VIEW {view} WITH (security_invoker = true) AS SELECT {columns} FROM {table}",
                carry.grant_as(self.to, self.table),
            ),
            undo=(drop,),
        )

    def _mirror(self) -> Step:
        there = predicates.has_trigger("sqlite", self.table, mirror_table.trigger_name(self.table, "insert"))
        drop = Step(
            title=f"DROP MIRROR TABLE {self.to} OF {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(there),
            statements=mirror_table.without_mirror(self.table, self.to),
        )
        return Step(
            title=f"CREATE MIRROR TABLE {self.to} OF {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            generate=self._made,
            undo=(drop,),
        )

    def _made(self, connection: Connection) -> Iterable[str]:
        return mirror_table.mirror(connection, self.table, self.to, columns=self.columns, key=self.key)

    def _mirror_replaced(self) -> Step:
        back = Step(
            title=f"RENAME TABLE {self.to} TO {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to,),
            done=predicates.has_table("sqlite", self.table),
            statements=(rename_table(self.to, self.table),),
        )
        return Step(
            title=f"RENAME TABLE {self.table} TO {self.to}, DROP MIRROR TABLE {self.to}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=predicates.negated(predicates.has_table("sqlite", self.table)),
            statements=(*mirror_table.without_mirror(self.table, self.to), rename_table(self.table, self.to)),
            undo=(back, replace(self._mirror(), undo=())),
        )
