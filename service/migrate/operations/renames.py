"""Tables with a new name, beside code that knows the old one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from service.migrate import sql
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.tables import rename_table
from service.migrate.sqlite import twins
from service.migrate.steps import Lock, Place, Step, mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable(Operation):
    """A table with a new name, and the old one for the code before.

    On PostgreSQL the old name becomes a view that can be written to
    (https://www.postgresql.org/docs/current/sql-createview.html, Updatable Views). On SQLite a view serves no RETURNING
    and no ON CONFLICT: there the new name is a twin, a second table that triggers keep equal, until the first takes its
    name.
    """

    table: str
    to: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("id",)

    def needs(self) -> list[Columns]:
        return [(self.table, self.columns)]

    def gives(self) -> list[Columns]:
        return [(self.to, self.columns)]

    def expand(self, place: Place) -> list[Step]:
        return [self._twin() if place.is_sqlite else self._renamed()]

    def contract(self, place: Place) -> list[Step]:
        return [self._twin_replaced() if place.is_sqlite else mirrored(self._view())]

    def _renamed(self) -> Step:
        back = Step(
            title=f"rename {self.to} to {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to,),
            done=sql.has_table("postgresql", self.table),
            statements=(f"DROP VIEW IF EXISTS {sql.quoted(self.table)}", rename_table(self.to, self.table)),
        )
        return Step(
            title=f"rename {self.table} to {self.to}, and keep the old name as a view",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=sql.has_table("postgresql", self.to),
            statements=(rename_table(self.table, self.to), *self._view().statements),
            undo=(back,),
        )

    def _view(self) -> Step:
        view, columns, table = sql.quoted(self.table), sql.listed(self.columns), sql.quoted(self.to)
        there = sql.has_view("postgresql", self.table)
        drop = Step(
            title=f"drop the view {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to,),
            done=sql.negated(there),
            statements=(f"DROP VIEW {view}",),
        )
        return Step(
            title=f"keep {self.table} as a view of {self.to}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to,),
            done=there,
            # Whoever may not read the table may not read it through the view either.
            statements=(f"CREATE VIEW {view} WITH (security_invoker = true) AS SELECT {columns} FROM {table}",),
            undo=(drop,),
        )

    def _twin(self) -> Step:
        there = sql.has_table("sqlite", self.to)
        drop = Step(
            title=f"drop {self.to}, the twin of {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=sql.negated(there),
            statements=twins.without_twin(self.table, self.to),
        )
        return Step(
            title=f"make {self.to}, a twin of {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=there,
            made=self._made,
            undo=(drop,),
        )

    def _made(self, connection: Connection) -> Iterable[str]:
        return twins.twin(connection, self.table, self.to, columns=self.columns, key=self.key)

    def _twin_replaced(self) -> Step:
        back = Step(
            title=f"rename {self.to} to {self.table}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.to,),
            done=sql.has_table("sqlite", self.table),
            statements=(rename_table(self.to, self.table),),
        )
        return Step(
            title=f"give {self.table} the name of its twin {self.to}",
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(self.table,),
            done=sql.negated(sql.has_table("sqlite", self.table)),
            statements=(*twins.without_twin(self.table, self.to), rename_table(self.table, self.to)),
            undo=(back, replace(self._twin(), undo=())),
        )
