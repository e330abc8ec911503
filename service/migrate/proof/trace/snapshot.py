"""The relations of a database before and after a statement, as the statement's own session sees them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.migrate.proof.diagram.reading import is_own
from service.migrate.proof.trace.modes import mode_of, strongest
from service.migrate.proof.trace.observed import RelationLock

# Returns the rows of a query in the session that is traced.
Read = Callable[[str], Iterable[Any]]

# The counters of a transaction; outside of one, those of the server, which FLUSH brings up to date.
_COUNTERS = "pg_stat_get_xact_{0}"
_FLUSHED_COUNTERS = "pg_stat_get_{0}"
FLUSH = "SELECT pg_stat_force_next_flush()"
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_RELATIONS = """
SELECT c.oid, c.oid::regclass::text, c.relname, c.relkind::text, coalesce(i.indrelid, c.oid),
  pg_relation_filenode(c.oid), pg_relation_size(c.oid), {returned},
  CASE WHEN c.relkind IN ('r', 'm') THEN {updated} + {deleted} ELSE 0 END,
  (SELECT string_agg(l.mode, ' ') FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.relation = c.oid
   AND l.locktype = 'relation' AND l.granted)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
WHERE {ours} AND c.relkind IN ('r', 'p', 'i', 'I', 'v', 'm', 'S', 'f')
"""
_PARTS = f"""
SELECT 'column', c.oid, a.attnum::bigint, c.oid::regclass::text || '.' || quote_ident(a.attname)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OURS} AND c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', c.oid, k.oid::bigint, quote_ident(k.conname) || ' on ' || c.oid::regclass::text
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OURS}
UNION ALL
SELECT 'trigger', c.oid, t.oid::bigint, quote_ident(t.tgname) || ' on ' || c.oid::regclass::text
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OURS} AND NOT t.tgisinternal
"""
# A table of fewer rows, such as the built-in ones of a revision, does not grow.
_FEWEST = 5
_KINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "materialized view", "S": "sequence"}


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of pg_class with the locks and the counters of the session; `table` is the table of an index."""

    oid: int
    name: str
    plain_name: str
    kind: str
    table: int
    filenode: int | None
    size: int
    returned: int
    changed: int
    modes: frozenset[str]

    @property
    def title(self) -> str:
        return f"{_KINDS.get(self.kind, 'index')} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The relations by oid, and their columns, constraints and triggers by kind, relation and number."""

    relations: Mapping[int, Relation]
    parts: Mapping[tuple[str, int, int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The relations that existed before a change was begun, and the number of rows of each table."""

    relations: frozenset[int]
    rows: Mapping[int, int]

    def has_most(self, table: int, rows: int) -> bool:
        """Whether `rows` are at least half of the table's, and not so few that their number says nothing."""
        return rows >= max(self.rows.get(table, 0) / 2, _FEWEST)


def taken(read: Read, *, alone: bool = False) -> Snapshot:
    """The snapshot of the session's database; `alone` outside of a transaction."""
    counters = _FLUSHED_COUNTERS if alone else _COUNTERS
    values = {
        "returned": f"{counters.format('tuples_returned')}(c.oid)",
        "updated": f"{counters.format('tuples_updated')}(c.oid)",
        "deleted": f"{counters.format('tuples_deleted')}(c.oid)",
    }
    if alone:
        list(read(FLUSH))
    relations = {}
    for oid, name, plain_name, kind, table, filenode, size, returned, changed, locks in read(
        _RELATIONS.format(ours=_OURS, **values)
    ):
        if not is_own(plain_name):
            modes = frozenset(mode_of(each) for each in (locks or "").split())
            relations[oid] = Relation(oid, name, plain_name, kind, table, filenode, size, returned, changed, modes)
    parts = {(kind, oid, number): name for kind, oid, number, name in read(_PARTS) if oid in relations}
    return Snapshot(relations=relations, parts=parts)


def baseline(read: Read) -> Baseline:
    """The relations that are there now, with their rows counted."""
    relations = taken(read).relations
    populated = {oid for (oid,) in read("SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND relispopulated")}
    rows = {}
    for each in relations.values():
        if each.oid in populated:
            ((rows[each.oid],),) = read(f"SELECT count(*) FROM ONLY {each.name}")
    return Baseline(relations=frozenset(relations), rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a statement did between two snapshots, on the relations of the baseline.

    `began` is the snapshot before the first statement of the transaction.
    """

    began: Snapshot
    before: Snapshot
    after: Snapshot
    baseline: Baseline

    @property
    def locks(self) -> tuple[RelationLock, ...]:
        found = []
        for each, now in self._both():
            if mode := strongest(now.modes - each.modes):
                found.append(RelationLock(relation=each.name, mode=mode, kind=each.kind))
        # A relation that is gone was locked in the strongest mode, which pg_locks still shows for its oid.
        found += [RelationLock(relation=each.name, mode="ACCESS EXCLUSIVE", kind=each.kind) for each in self._gone()]
        return tuple(sorted(found))

    def seen(self, taken: Iterable[tuple[int, str]]) -> tuple[RelationLock, ...]:
        """The strongest of the locks that another session saw, for each relation that stays."""
        found: dict[int, set[str]] = {}
        for oid, mode in taken:
            # An index that is dropped or replaced CONCURRENTLY is out of use before its last lock.
            if oid in self.baseline.relations and oid in self.before.relations and oid in self.after.relations:
                found.setdefault(oid, set()).add(mode)
        relations = self.before.relations
        return tuple(
            sorted(
                RelationLock(relation=relations[oid].name, mode=strongest(modes), kind=relations[oid].kind)
                for oid, modes in found.items()
            )
        )

    @property
    def held(self) -> tuple[RelationLock, ...]:
        found = [
            RelationLock(relation=each.name, mode=mode, kind=each.kind)
            for each in self.before.relations.values()
            if each.oid in self.baseline.relations and (mode := strongest(each.modes))
        ]
        return tuple(sorted(lock for lock in found if lock.blocks.keeps_requests_waiting))

    @property
    def rewritten(self) -> tuple[str, ...]:
        return tuple(sorted(each.name for each, now in self._both() if self._is_rewritten(each, now)))

    @property
    def scanned(self) -> tuple[str, ...]:
        read = dict.fromkeys(self.baseline.rows, 0)
        for each, now in self._both():
            if each.table in read:
                read[each.table] += now.returned - each.returned
        return self._names(read)

    @property
    def changed(self) -> tuple[str, ...]:
        # Rows that a loop updates one by one stay locked until the transaction ends.
        began = self.began.relations
        return self._names(
            {
                each.oid: now.changed - began[each.oid].changed
                for each, now in self._both()
                if each.oid in began and now.changed > each.changed
            }
        )

    @property
    def dropped(self) -> tuple[str, ...]:
        gone = {each.oid for each in self._gone()}
        titles = {each.title for each in self.after.relations.values()}
        found = [each.title for each in self._gone() if each.title not in titles]
        named = {(kind, name) for (kind, _, _), name in self.after.parts.items()}
        for (kind, oid, number), name in self.before.parts.items():
            if (kind, oid, number) in self.after.parts or oid in gone or oid not in self.baseline.relations:
                continue
            # A constraint that is made anew with a column's new type has the old one's name.
            if (kind, name) not in named:
                found.append(f"{kind} {name}")
        return tuple(sorted(found))

    def _both(self) -> Iterator[tuple[Relation, Relation]]:
        for oid, each in self.before.relations.items():
            if oid in self.baseline.relations and (now := self.after.relations.get(oid)) is not None:
                yield each, now

    def _gone(self) -> list[Relation]:
        return [
            each
            for oid, each in self.before.relations.items()
            if oid in self.baseline.relations and oid not in self.after.relations
        ]

    def _is_rewritten(self, before: Relation, after: Relation) -> bool:
        # TRUNCATE gives new files too, which are empty, and a sequence has one row.
        table = self.after.relations.get(after.table)
        return (
            after.kind != "S"
            and before.filenode != after.filenode
            and bool(after.size)
            and table is not None
            and bool(table.size)
        )

    def _names(self, counted: Mapping[int, int]) -> tuple[str, ...]:
        return tuple(
            sorted(
                self.before.relations[oid].name
                for oid, rows in counted.items()
                if oid in self.before.relations and self.baseline.has_most(oid, rows)
            )
        )
