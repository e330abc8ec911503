"""The statements of a plain revision as they would run on a database: locks, tables, durations."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlalchemy import Connection

from service.migrate.dialects import ddl, reflected
from service.migrate.operations.step import Lock, Step
from service.migrate.proof.forecast.actions import Pending
from service.migrate.proof.forecast.durations import Speed
from service.migrate.proof.forecast.planned import Planned
from service.migrate.proof.forecast.tables import Sizes
from service.migrate.proof.forecast.trials import Trial
from service.migrate.proof.lint.sql import statements
from service.migrate.proof.trace.modes import BLOCKED, most, strongest
from service.migrate.proof.trace.observed import Observed, RelationLock

_SHOWN = 90
_OF_TABLES = ("r", "p", "m", "f")
_WEAK = ("ACCESS SHARE", "ROW SHARE")
_PARTITIONS = "SELECT relid::regclass::text FROM pg_partition_tree({}) WHERE level > 0 ORDER BY 1"
_LOCKS = {
    "ACCESS EXCLUSIVE": Lock.ACCESS_EXCLUSIVE,
    **dict.fromkeys(("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE"), Lock.SHARE_ROW_EXCLUSIVE),
    "SHARE UPDATE EXCLUSIVE": Lock.SHARE_UPDATE_EXCLUSIVE,
}


def planned(pending: Pending, trial: Trial, sizes: Sizes, speed: Speed) -> list[Planned]:
    """One line for each statement, in order; a statement that is sent again and again counts once."""
    found = [
        _statement(pending, next(group), sizes, speed)
        for _, group in groupby(trial.observed, key=lambda each: each.statement)
    ]
    if trial.why or not found:
        why = f"not tried: {trial.why.rstrip('.')}" if trial.why else "no statement"
        title = f"{pending.script.doc} (Alembic's plain style; {why})"
        seconds = None if trial.why else 0.0
        found.append(Planned(revision=pending.script.revision, phase=pending.stretch, title=title, seconds=seconds))
    return found


def as_step(line: Planned) -> Step:
    """The statement as a step, to ask which transactions it would wait for."""
    alone = "CONCURRENTLY" in line.statements[0].upper()
    return Step(title=line.title, lock=_LOCKS.get(line.mode, Lock.NONE), tables=line.tables, alone=alone)


def _statement(pending: Pending, observed: Observed, sizes: Sizes, speed: Speed) -> Planned:
    connection = sizes.connection
    is_sqlite = connection.dialect.name == "sqlite"
    own, held_before = (dict(_locks(connection, each)) for each in (observed.locks, observed.held))
    # What earlier statements of the transaction locked stays locked while this one runs.
    locks = {name: strongest(each[name] for each in (own, held_before) if name in each) for name in own | held_before}
    mode = strongest(locks.values())
    tables = tuple(dict.fromkeys([*locks, *(_tables(observed.statement) if is_sqlite else [])]))
    known = [size for each in tables if (size := sizes.of(each)) is not None]
    seconds = round(speed.of_statement(observed, max((each.rows for each in known), default=0)), 3)
    held = most([BLOCKED[each] for each in locks.values()])
    blocks = f"{held.effect} until the transaction ends" if held.keeps_requests_waiting else held.effect
    if observed.changed and not held.keeps_requests_waiting:
        blocks = "writes of its rows wait until the transaction ends"
    text = " ".join(observed.statement.split())
    return Planned(
        revision=pending.script.revision,
        phase=pending.stretch,
        title=text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…",
        statements=(observed.statement.rstrip(";"),),
        mode=mode,
        tables=tuple(each for each in tables if is_sqlite or locks[each] == mode),
        blocks="writes wait" if is_sqlite else blocks,
        seconds=seconds,
        stall_seconds=seconds if is_sqlite else 0.0,
        locks=tuple(f"{each} on {name}{'' if own.get(name) == each else ' (held)'}" for name, each in locks.items()),
    )


def _locks(connection: Connection, found: Sequence[RelationLock]) -> Iterator[tuple[str, str]]:
    """Each table that is locked, with the partitions that it has in this database, and the mode."""
    for lock in found:
        if lock.kind in _OF_TABLES and lock.mode not in _WEAK:
            yield lock.relation, lock.mode
            if lock.kind == "p" and reflected.table_name(connection, lock.relation) is not None:
                asked = _PARTITIONS.format(ddl.regclass(lock.relation))
                yield from ((name, lock.mode) for name in connection.exec_driver_sql(asked).scalars())


def _tables(statement: str) -> list[str]:
    """The tables that a statement for SQLite names; Alembic rebuilds a table under another name."""
    names = [each.table.removeprefix("_alembic_tmp_") for each in statements.changes(statement)]
    return [each for each in names if each]
