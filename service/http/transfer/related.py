"""Fields of a line that are rows of other tables, such as the roles of a user: compared, checked and stored."""

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk
from service.errors import Fault
from service.http.auth.actors import Actor
from service.http.transfer.lines import Line
from service.http.transfer.spec import Import

# Of each field that changes, what was and what will be.
Changes = Mapping[str, tuple[Any, Any]]

_related_of = attrgetter("related")


class Move(NamedTuple):
    """The related fields that change for one row; `new` if the import creates the row."""

    id: int
    changes: Changes
    new: bool


class Related(Protocol):
    """The related fields of a noun; equal values compare equal."""

    # The fields, each with its value for a row that has no related rows.
    unset: Mapping[str, Any]
    # The fields whose change raises the version of the row.
    counted: frozenset[str]
    # A unique column, never NULL, that finds a row which was just inserted.
    key: str

    def read(self, line: msgspec.Struct) -> dict[str, Any]:
        """Return the values that a line has; raises Invalid."""

    async def known(self, session: AsyncSession) -> Any:
        """Return what `faults` and `store` need to know of other tables."""

    async def of(self, session: AsyncSession, ids: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the values of stored rows."""

    def faults(self, known: Any, actor: Actor, changes: Changes) -> list[Fault]:
        """Return why the changes are not possible, or not permitted to the actor."""

    def guards(self, actor: Actor) -> bool:
        """Return whether `refusals` may refuse the actor something, and needs the values of stored rows."""

    def refusals(self, known: Any, actor: Actor, before: Mapping[str, Any], names: Collection[str]) -> list[Fault]:
        """Return why the actor may not change these columns of a stored row."""

    async def hold(self, session: AsyncSession, updates: Mapping[int, Changes]) -> Any:
        """Look at what the updates of rows, related fields included, may take away; called before they are stored."""

    async def store(self, session: AsyncSession, known: Any, moves: Sequence[Move], held: Any) -> None:
        """Store the changes, in the transaction of the rows; raises Conflict if they take too much away."""


class RelatedRows:
    """The related fields of one batch."""

    def __init__(self, declared: Import, actor: Actor) -> None:
        self._declared = declared
        self._related: Related | None = declared.related
        self._actor = actor
        self._known: Any = None
        self._held: Any = None
        self._moves: list[Move] = []
        self._arrivals: list[tuple[Any, Changes]] = []
        self._updates: dict[int, Changes] = {}

    async def prepare(self, session: AsyncSession, lines: Sequence[Line], rows: Sequence[dict[str, Any]] = ()) -> None:
        """Look up what the lines need, and add the related values to the stored rows that they match."""
        if self._related is None or not (any(map(_related_of, lines)) or self._related.guards(self._actor)):
            return
        self._known = await self._related.known(session)
        if rows:
            found = await self._related.of(session, [values["id"] for values in rows])
            for values in rows:
                values.update(self._related.unset)
                values.update(found.get(values["id"], {}))

    def concerns(self, lines: Sequence[Line]) -> bool:
        """Return whether a line has related fields."""
        return self._related is not None and any(map(_related_of, lines))

    def compare(self, line: Line, before: Mapping[str, Any] | None = None) -> tuple[Changes, list[Fault]]:
        """Return the related fields that a line changes, and why it may not; without `before` the row is new."""
        if self._related is None or not line.related:
            return {}, []
        was = self._related.unset if before is None else before
        changes = {name: (was[name], value) for name, value in line.related.items() if was[name] != value}
        return changes, self._related.faults(self._known, self._actor, changes)

    def refusals(self, before: Mapping[str, Any], names: Collection[str]) -> list[Fault]:
        """Return why the actor may not change these columns of a stored row."""
        if self._related is None or not self._related.guards(self._actor):
            return []
        return self._related.refusals(self._known, self._actor, before, names)

    def counts(self, changes: Changes) -> dict[str, tuple[Any, Any]]:
        """Return the changes that raise the version of the row."""
        return {} if self._related is None else {name: changes[name] for name in changes.keys() & self._related.counted}

    def without(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of a row, without the related fields."""
        if self._related is None:
            return {**values}
        return {name: value for name, value in values.items() if name not in self._related.unset}

    def add(self, line: Line, changes: Changes) -> None:
        """Store the related fields of a line whose row is inserted."""
        if self._related is not None and changes:
            self._arrivals.append((line.row[self._declared.columns.index(self._related.key)], changes))

    def change(self, id: int | None, changes: Changes, columns: Changes) -> None:
        """Store the related fields of a stored row, of which these columns change too."""
        if self._related is None or id is None:
            return
        self._updates[id] = {**columns, **changes}
        if changes:
            self._moves.append(Move(id, changes, new=False))

    async def hold(self, session: AsyncSession) -> None:
        """Call it before the rows are stored."""
        if self._related is not None and self._updates:
            self._held = await self._related.hold(session, self._updates)

    async def store(self, session: AsyncSession) -> None:
        """Call it after the rows are stored."""
        if self._related is None:
            return
        moves = self._moves
        if self._arrivals:
            table = self._declared.table
            wanted = [table.c.id, table.c[self._related.key]]
            found = await bulk.find(session, wanted, wanted[1:], [(key,) for key, _ in self._arrivals])
            ids = {row[self._related.key]: row["id"] for row in found}
            moves = [*moves, *(Move(ids[key], changes, new=True) for key, changes in self._arrivals)]
        if moves or self._held:
            await self._related.store(session, self._known, moves, self._held)
