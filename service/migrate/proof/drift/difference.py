"""A difference between two schemas, and the comparison of the objects of their catalogs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.migrate.dialects import ddl
from service.migrate.state.drift import CatalogObject

_RELATIONS = frozenset(("table", "view", "materialized view", "sequence", "function", "type", "partition", "schema"))
_OF_COLUMNS = frozenset(("comment", "privileges", "settings"))

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An object that differs; a definition is `None` where the object does not exist.

    `against` is revisions or models, and `expected` the definition there.
    """

    against: str
    kind: str
    name: str
    database: str | None
    expected: str | None

    @property
    def where(self) -> str:
        if self.expected is None:
            return "only in the database"
        return f"only in the {self.against}" if self.database is None else "different"

    @property
    def object(self) -> str:
        """The kind and the name, which patterns are compared with."""
        return f"{self.kind} {self.name}"


def compared(database: Iterable[CatalogObject], revisions: Iterable[CatalogObject]) -> list[Difference]:
    """The differences, in the order of their objects; what belongs to an object that one side lacks counts with it.

    The trash is left out: it goes with the next purge.
    """
    one, other = _by_key(database), _by_key(revisions)
    lacking = {(key[0], _name(*key)) for key in one.keys() ^ other.keys()}
    found = []
    for key in sorted(one.keys() | other.keys()):
        here, there = one.get(key), other.get(key)
        if here is not None and there is not None and here.line == there.line:
            continue
        if (here is None or there is None) and not lacking.isdisjoint(_above(*key)):
            continue
        found.append(
            Difference(
                against="revisions",
                kind=key[0],
                name=_name(*key),
                database=None if here is None else here.definition.strip(),
                expected=None if there is None else there.definition.strip(),
            )
        )
    return found


def _by_key(objects: Iterable[CatalogObject]) -> dict[_Key, CatalogObject]:
    return {_key(each): each for each in objects if ddl.TRASH not in each.line}


def _key(found: CatalogObject) -> _Key:
    # PostgreSQL 18 names each NOT NULL by itself, after the column's name at that time.
    is_unnamed = found.kind == "constraint" and found.definition.startswith("NOT NULL ")
    return found.kind, found.table, found.definition if is_unnamed else found.name


def _above(kind: str, table: str, name: str) -> Iterator[tuple[str, str]]:
    """What this object may belong to, by kind and name."""
    if kind in _OF_COLUMNS:
        yield "column", f"{table}.{name.partition(' ')[0]}"
    if kind == "constraint":
        yield "column", f"{table}.{name.removeprefix('NOT NULL ')}"
    yield from ((relation, table) for relation in _RELATIONS if (relation, table) != (kind, name))


def _name(kind: str, table: str, name: str) -> str:
    if kind == "column":
        return f"{table}.{name}"
    if kind in ("comment", "settings"):
        return table if name == table else f"{table}.{name}"
    if kind == "owner":
        return name
    if kind in ("privileges", "schema privileges"):
        return f"{table} {name}" if name.startswith("to ") else f"{table}.{name}"
    if kind in _RELATIONS or not table or table == name:
        return name
    return f"{name} of {table}"
