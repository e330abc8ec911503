"""What a batch would change, found line by line against what is stored and what the file said before."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from service.db import bulk
from service.db.clock import now
from service.db.folding import fold
from service.errors import Fault
from service.http.transfer.parser import Line
from service.http.transfer.reports import Allowance, Mode, Outcome
from service.http.transfer.seen_keys import Ledger
from service.http.transfer.spec import Import, Key, Reference
from service.http.transfer.time_slice import Turns

_Held = tuple[int, tuple[Any, ...]]


class Stored:
    """A row that is there, or will be; `spoken` when a line of this file made it or told of it."""

    __slots__ = ("spoken", "values")

    def __init__(self, values: Mapping[str, Any], *, spoken: bool) -> None:
        self.values = values
        self.spoken = spoken


class Plan:
    """Rows to insert and rows to change; `outcome` tells what that would come to.

    `ledger` knows what the file said before this batch. In a `simulated` run the database does not know it, so the
    ledger tells, too, which keys were taken and set free.
    """

    def __init__(self, declared: Import, mode: Mode, *, blank: bool, ledger: Ledger | None, simulated: bool) -> None:
        self.inserts: list[list[Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.outcome = Outcome()
        self._declared = declared
        self._mode = mode
        self._blank = blank
        self._ledger = ledger
        self._simulated = simulated
        self._moment = now()
        self._turns = Turns()
        self._owners: dict[_Held, Stored] = {}
        self._places = {name: at for at, name in enumerate(declared.columns)}

    async def make(self, session: AsyncSession, lines: Sequence[Line], allowance: Allowance) -> None:
        """Decide about each line, in their order, until the allowance is spent."""
        missing = await resolve(session, self._declared, lines, verify=True)
        await self._look_up(session, lines)
        take = self._upsert if self._mode == "upsert" else self._create
        for line in lines:
            if allowance.is_spent(self.outcome.failed, line.number):
                break
            if self._turns.over:
                await self._turns.end()
            take(line, missing.get(line.number, []))

    async def _look_up(self, session: AsyncSession, lines: Sequence[Line]) -> None:
        declared = self._declared
        seen: set[tuple[Any, ...]] = set()
        asked: list[_Held] = []
        for at, key in enumerate(declared.keys):
            held = dict.fromkeys(each for line in lines if (each := self._held(key, line)) is not None)
            asked += [(at, each) for each in held]
            found = await bulk.find(session, declared.stored, key.columns, [*held]) if held else []
            for values in found:
                id = tuple(values[name] for name in declared.identity)
                if id not in seen:
                    seen.add(id)
                    self._take(Stored(dict(values), spoken=False))
        if self._ledger is not None:
            await self._recall(self._ledger, asked)

    async def _recall(self, ledger: Ledger, asked: Iterable[_Held]) -> None:
        """Let what the file said before prevail over what is stored."""
        names = {_entry(held): held for held in asked}
        for entry, held in (await ledger.read(names)).items():
            if held:
                self._owners[names[entry]] = Stored({}, spoken=True)
            elif self._simulated:
                self._owners.pop(names[entry], None)

    def _create(self, line: Line, missing: list[Fault]) -> None:
        declared = self._declared
        keys = [(at, held) for at, key in enumerate(declared.keys) if (held := self._held(key, line)) is not None]
        taken = [declared.keys[at] for at, held in keys if (at, held) in self._owners]
        if missing or taken:
            self._fail(line, [*missing, *(Fault(field=key.field, detail=key.taken) for key in taken)])
            return
        self.inserts.append(line.row)
        self.outcome.created += 1
        owner = Stored({}, spoken=True)
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
        stored = self._owners.get((self._declared.keys.index(key), held))
        if stored is None:
            self._create(line, missing)
        elif stored.spoken:
            self._fail(line, [*missing, Fault(field=key.field, detail=f"An earlier line has this {key.field}.")])
        else:
            self._change(line, stored, missing)

    def _change(self, line: Line, stored: Stored, missing: list[Fault]) -> None:
        declared = self._declared
        changed = {
            name: value
            for name, value in declared.sent(line.value).items()
            if name not in declared.identity and self._differs(stored.values[name], value)
        }
        changed |= {
            name: fold(changed[source]) for name, at in declared.folds if (source := declared.names[at]) in changed
        }
        merged = {**stored.values, **changed}
        faults = [*missing, *self._taken(stored, changed, merged)]
        if changed and declared.check is not None:
            faults += declared.check(merged)
        if faults:
            self._fail(line, faults)
            return
        if changed:
            self._free(stored, changed)
            merged |= {"version": stored.values["version"] + 1, "updated_at": self._moment}
            self.changes.append(merged)
            self.outcome.updated += 1
        else:
            self.outcome.unchanged += 1
        stored.values, stored.spoken = merged, True
        self._take(stored)

    def _taken(self, stored: Stored, changed: Mapping[str, Any], merged: Mapping[str, Any]) -> list[Fault]:
        """Return what is wrong with the keys that would change: another row has them."""
        faults = []
        for at, key in enumerate(self._declared.keys):
            if not changed.keys().isdisjoint(key.names) and (held := key.of(merged)) is not None:
                owner = self._owners.get((at, held))
                if owner is not None and owner is not stored:
                    faults.append(Fault(field=key.field, detail=key.taken))
        return faults

    def _free(self, stored: Stored, changed: Mapping[str, Any]) -> None:
        for at, key in enumerate(self._declared.keys):
            held = key.of(stored.values)
            if held is not None and not changed.keys().isdisjoint(key.names):
                self._owners.pop((at, held), None)
                if self._simulated:
                    self.outcome.keys[_entry((at, held))] = False

    def _take(self, stored: Stored) -> None:
        for at, key in enumerate(self._declared.keys):
            if (held := key.of(stored.values)) is not None:
                self._hold((at, held), stored)

    def _hold(self, held: _Held, stored: Stored) -> None:
        self._owners[held] = stored
        if stored.spoken and self._ledger is not None:
            self.outcome.keys[_entry(held)] = True

    def _held(self, key: Key, line: Line) -> tuple[Any, ...] | None:
        """Return what the line holds of a key; the columns of keys look the same to every driver."""
        found = tuple([line.row[self._places[name]] for name in key.names])
        return None if None in found else found

    def _differs(self, old: object, new: object) -> bool:
        # CSV has one way to write an empty text and none at all.
        return new != old and not (self._blank and new is None and old == "")

    def _fail(self, line: Line, faults: Iterable[Fault]) -> None:
        self.outcome.fail(line.number, on(line, faults))


def on(line: Line, faults: Iterable[Fault]) -> list[Fault]:
    return [
        Fault(line=line.number, field=each.field or (each.pointer or "").removeprefix("/") or None, detail=each.detail)
        for each in faults
    ]


def _entry(held: _Held) -> str:
    at, values = held
    return msgspec.json.encode([at, *values]).decode()


async def resolve(
    session: AsyncSession, declared: Import, lines: Sequence[Line], *, verify: bool
) -> dict[int, list[Fault]]:
    """Put ids into rows whose lines name others by external ids, and return what is missing, by line.

    `verify` looks for the rows that are named by their ids, too.
    """
    missing: dict[int, list[Fault]] = {}
    for reference in declared.references:
        at = declared.columns.index(reference.column.name)
        external = await _externals(session, reference, lines)
        named = {id for line in lines if (id := line.row[at]) is not None} if verify else set()
        found = await _ids(session, reference, named)
        for line in lines:
            fault = _refer(reference, line, at, external, found if verify else None)
            if fault is not None:
                missing.setdefault(line.number, []).append(fault)
    return missing


async def _externals(session: AsyncSession, reference: Reference, lines: Sequence[Line]) -> dict[str, int]:
    if reference.external is None:
        return {}
    named = {text for line in lines if (text := _text(line, reference.external)) is not None}
    if not named:
        return {}
    columns = [reference.target.c.id, reference.target.c.external_id]
    rows = await bulk.find(session, columns, columns[1:], [(text,) for text in named])
    return {row["external_id"]: row["id"] for row in rows}


async def _ids(session: AsyncSession, reference: Reference, named: set[Any]) -> set[int]:
    if not named:
        return set()
    columns = [reference.target.c.id]
    return {row["id"] for row in await bulk.find(session, columns, columns, [(id,) for id in named])}


def _refer(
    reference: Reference, line: Line, at: int, external: Mapping[str, int], found: set[int] | None
) -> Fault | None:
    name = reference.column.name
    text = None if reference.external is None else _text(line, reference.external)
    if text is not None:
        line.row[at] = external.get(text)
        if line.row[at] is None:
            return Fault(field=reference.external, detail=reference.missing.replace("this id", "this external_id"))
    elif line.row[at] is None:
        if not reference.column.nullable:
            return Fault(field=name, detail=f"{name} or {reference.external} is required.")
    elif found is not None and line.row[at] not in found:
        return Fault(field=name, detail=reference.missing)
    return None


def _text(line: Line, field: str) -> str | None:
    text = getattr(line.value, field)
    return None if text is UNSET else text
