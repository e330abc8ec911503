"""The rows that a batch inserts and updates, from its lines, the stored rows and the lines before."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk
from service.db.clock import now
from service.db.folding import fold
from service.errors import Fault
from service.http.transfer.lines import Line
from service.http.transfer.parser import faults_of
from service.http.transfer.references import resolve
from service.http.transfer.related import RelatedRows
from service.http.transfer.reports import Allowance, Mode, Outcome
from service.http.transfer.seen_keys import SeenKeys
from service.http.transfer.spec import Import, UniqueKey
from service.http.transfer.time_slice import TimeSlice

# The position of a unique key in `Import.keys`, and the values of a row.
_KeyValue = tuple[int, tuple[Any, ...]]
# The fault of each line that a constraint refuses, by its number.
Refused = Mapping[int, Fault]
NONE: Final[Refused] = MappingProxyType({})


class Row:
    """A row that is stored or will be; `seen` if an earlier line of the file created or matched it."""

    __slots__ = ("seen", "values")

    def __init__(self, values: Mapping[str, Any], *, seen: bool) -> None:
        self.values = values
        self.seen = seen


class Upsert:
    """Rows to insert and rows to update, and the `outcome` of both.

    `seen_keys` holds the keys of earlier batches. In a `simulated` run the database lacks those batches, so the keys
    that they took and gave up come from `seen_keys` too.
    """

    def __init__(
        self,
        declared: Import,
        mode: Mode,
        *,
        blank: bool,
        seen_keys: SeenKeys | None,
        simulated: bool,
        related: RelatedRows,
    ) -> None:
        self.inserts: list[list[Any]] = []
        self.updates: list[dict[str, Any]] = []
        # The old and the new values of each of `updates`, for its event.
        self.changes: list[dict[str, tuple[Any, Any]]] = []
        # The line of each of `inserts`, and of each of `updates`.
        self.inserting: list[int] = []
        self.updating: list[int] = []
        self.outcome = Outcome()
        self.related = related
        self._declared = declared
        self._mode = mode
        self._blank = blank
        self._seen_keys = seen_keys
        self._simulated = simulated
        self._moment = now()
        self._time_slice = TimeSlice()
        self._owners: dict[_KeyValue, Row] = {}
        self._places = {name: at for at, name in enumerate(declared.columns)}

    async def make(
        self, session: AsyncSession, lines: Sequence[Line], allowance: Allowance, refused: Refused = NONE
    ) -> None:
        """Add each line in order, until the allowance is spent; `refused` lines fail."""
        missing = await resolve(session, self._declared, lines, verify=True)
        for number, fault in refused.items():
            missing.setdefault(number, []).append(fault)
        rows = await self._find_existing(session, lines)
        await self.related.prepare(session, lines, rows)
        take = self._upsert if self._mode == "upsert" else self._create
        for line in lines:
            if allowance.is_spent(self.outcome.failed, line.number):
                break
            if self._time_slice.over:
                await self._time_slice.end()
            take(line, missing.get(line.number, []))

    async def _find_existing(self, session: AsyncSession, lines: Sequence[Line]) -> list[dict[str, Any]]:
        """Take the stored rows that the lines match, and return the values of each that may be changed."""
        declared = self._declared
        changes = self._mode == "upsert"
        wanted = declared.stored if changes else declared.identifying
        rows: list[dict[str, Any]] = []
        seen: set[tuple[Any, ...]] = set()
        asked: list[_KeyValue] = []
        for at, key in enumerate(declared.keys):
            held = dict.fromkeys(each for line in lines if (each := self._held(key, line)) is not None)
            asked += [(at, each) for each in held]
            found = await bulk.find(session, wanted, key.columns, [*held]) if held else []
            for values in found:
                id = tuple(values[name] for name in declared.identity)
                if id not in seen:
                    seen.add(id)
                    rows.append(dict(values))
                    self._take(Row(rows[-1], seen=False))
        if self._seen_keys is not None:
            await self._recall(self._seen_keys, asked)
        return rows if changes else []

    async def _recall(self, seen_keys: SeenKeys, asked: Iterable[_KeyValue]) -> None:
        """Apply the keys of earlier batches over the stored ones."""
        names = {_entry(held): held for held in asked}
        for entry, held in (await seen_keys.read(names)).items():
            if held:
                self._owners[names[entry]] = Row({}, seen=True)
            elif self._simulated:
                self._owners.pop(names[entry], None)

    def _create(self, line: Line, missing: list[Fault]) -> None:
        declared = self._declared
        keys = [(at, held) for at, key in enumerate(declared.keys) if (held := self._held(key, line)) is not None]
        taken = [declared.keys[at] for at, held in keys if (at, held) in self._owners]
        related, faults = self.related.compare(line)
        missing = [*missing, *faults]
        if missing or taken:
            self._fail(line, [*missing, *(Fault(field=key.field, detail=key.taken) for key in taken)])
            return
        self.inserts.append(line.row)
        self.inserting.append(line.number)
        self.related.add(line, related)
        self.outcome.created += 1
        owner = Row({}, seen=True)
        for each in keys:
            self._hold(each, owner)

    def _upsert(self, line: Line, missing: list[Fault]) -> None:
        key, held = next(
            ((key, held) for key in self._declared.matched if (held := self._held(key, line)) is not None), (None, None)
        )
        if key is None or held is None:
            if not missing:
                field = self._declared.match[0]
                missing = [Fault(field=field, detail="mode=upsert requires this field, which identifies the row.")]
            self._fail(line, missing)
            return
        row = self._owners.get((self._declared.keys.index(key), held))
        if row is None:
            self._create(line, missing)
        elif row.seen:
            self._fail(line, [*missing, Fault(field=key.field, detail=f"An earlier line has this {key.field}.")])
        else:
            self._change(line, row, missing)

    def _change(self, line: Line, row: Row, missing: list[Fault]) -> None:
        declared = self._declared
        changed = {
            name: value
            for name, value in declared.sent(line.value).items()
            if name not in declared.identity and self._differs(row.values[name], value)
        }
        changed |= {
            name: fold(changed[source]) for name, at in declared.folds if (source := declared.names[at]) in changed
        }
        merged = {**row.values, **changed}
        related, wrong = self.related.compare(line, row.values)
        faults = [*missing, *self._taken(row, changed, merged), *wrong, *self.related.refusals(row.values, changed)]
        if changed and declared.check is not None:
            faults += declared.check(merged)
        if faults:
            self._fail(line, faults)
            return
        counted = self.related.counts(related)
        if changed or counted:
            self._free(row, changed)
            merged |= {"version": row.values["version"] + 1, "updated_at": self._moment}
            self.updates.append(self.related.without(merged))
            self.updating.append(line.number)
            shown = self._declared.subject.shown
            columns = {name: (row.values[name], changed[name]) for name in changed if name in shown}
            self.changes.append(columns | counted)
        if changed or related:
            self.related.change(row.values.get("id"), related, {name: (None, changed[name]) for name in changed})
            self.outcome.updated += 1
        else:
            self.outcome.unchanged += 1
        row.values, row.seen = merged, True
        self._take(row)

    def _taken(self, row: Row, changed: Mapping[str, Any], merged: Mapping[str, Any]) -> list[Fault]:
        """Return a fault for each changed key that another row has."""
        faults = []
        for at, key in enumerate(self._declared.keys):
            if not changed.keys().isdisjoint(key.names) and (held := key.of(merged)) is not None:
                owner = self._owners.get((at, held))
                if owner is not None and owner is not row:
                    faults.append(Fault(field=key.field, detail=key.taken))
        return faults

    def _free(self, row: Row, changed: Mapping[str, Any]) -> None:
        for at, key in enumerate(self._declared.keys):
            held = key.of(row.values)
            if held is not None and not changed.keys().isdisjoint(key.names):
                self._owners.pop((at, held), None)
                if self._simulated:
                    self.outcome.keys[_entry((at, held))] = False

    def _take(self, row: Row) -> None:
        for at, key in enumerate(self._declared.keys):
            if (held := key.of(row.values)) is not None:
                self._hold((at, held), row)

    def _hold(self, held: _KeyValue, row: Row) -> None:
        self._owners[held] = row
        if row.seen and self._seen_keys is not None:
            self.outcome.keys[_entry(held)] = True

    def _held(self, key: UniqueKey, line: Line) -> tuple[Any, ...] | None:
        """Return the line's values of a key; every driver takes key columns in the same form."""
        found = tuple([line.row[self._places[name]] for name in key.names])
        return None if None in found else found

    def _differs(self, old: object, new: object) -> bool:
        # CSV writes NULL and the empty text alike.
        return new != old and not (self._blank and new is None and old == "")

    def _fail(self, line: Line, faults: Iterable[Fault]) -> None:
        self.outcome.fail(line.number, faults_of(line, faults))


def _entry(held: _KeyValue) -> str:
    at, values = held
    return msgspec.json.encode([at, *values]).decode()
