"""Monthly partitions of a PostgreSQL table whose key is a time: made ahead, dropped whole; SQLite has none."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.database import Database
from service.db.time_ids import id_at

MONTHS_AHEAD: Final = 2

_BOUNDS = re.compile(r"FOR VALUES FROM \('(-?\d+)'\) TO \('(-?\d+)'\)")
# A lock that the traffic waits behind is given up as soon as a migration gives up its own.
_LIMITS = ("SET LOCAL lock_timeout = '50ms'", "SET LOCAL statement_timeout = '2s'")
_TURN = 0x70617274

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Table:
    """A partitioned table: its owner, whether this role may add a partition, and its default partition."""

    owner: str
    may_create: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class _Partition:
    name: str
    first: int
    end: int


async def create_ahead(database: Database, table: str, now: datetime) -> list[str]:
    """Create the partitions of this month and the next two, as far as they are missing, and return their names.

    A month whose rows are in the default partition already is left there: moving them would block logins. A role that
    may not create tables creates none, and the default partition takes the rows.
    """
    found = await _described(database, table)
    if found is None:
        return []
    parent, partitions = found
    there = {each.name for each in partitions}
    months = [_month(now, ahead) for ahead in range(MONTHS_AHEAD + 1)]
    missing = [month for month in months if _name(table, month) not in there]
    if missing and not parent.may_create:
        names = [_name(table, month) for month in missing]
        log.warning("partitions not created", missing=names, reason=f"only {parent.owner} may create tables here")
        return []
    made = [await database.units.run(partial(_create, table=table, parent=parent, month=month)) for month in missing]
    return [name for name in made if name]


async def drop_before(database: Database, table: str, end: int) -> list[str]:
    """Drop every partition whose keys are all below `end`, and return their names.

    Each takes ACCESS EXCLUSIVE on the table for an instant, or is tried again after 50 ms of waiting.
    """
    found = await _described(database, table)
    old = [each for each in (found[1] if found else []) if each.end <= end]
    for each in old:
        await database.units.run(partial(_drop, name=each.name))
    return [each.name for each in old]


async def _described(database: Database, table: str) -> tuple[_Table, list[_Partition]] | None:
    """Return the table and its monthly partitions; None where a table has no partitions, or is not there."""
    if database.writing.dialect.name != "postgresql":
        return None
    return await database.units.run(lambda session: _describe(session, table))


async def _describe(session: AsyncSession, table: str) -> tuple[_Table, list[_Partition]] | None:
    parent = (
        await session.execute(
            text(
                "SELECT pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'USAGE') "
                "AND has_schema_privilege(c.relnamespace, 'CREATE'), nullif(p.partdefid, 0)::regclass::text "
                "FROM pg_class c JOIN pg_partitioned_table p ON p.partrelid = c.oid WHERE c.oid = to_regclass(:name)"
            ),
            {"name": table},
        )
    ).one_or_none()
    if parent is None:
        return None
    rows = await session.execute(
        text(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c "
            "ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(:name) ORDER BY c.relname"
        ),
        {"name": table},
    )
    partitions = [
        _Partition(name, int(bounds[1]), int(bounds[2])) for name, bound in rows if (bounds := _BOUNDS.fullmatch(bound))
    ]
    return _Table(*parent), partitions


async def _drop(session: AsyncSession, *, name: str) -> None:
    await _execute(session, *_LIMITS, f"DROP TABLE IF EXISTS {name}")


async def _create(session: AsyncSession, *, table: str, parent: _Table, month: datetime) -> str | None:
    name, first, end = _name(table, month), id_at(month), id_at(_month(month, 1))
    await _execute(session, *_LIMITS)
    # Another process is at it; its next turn finds what this one left.
    if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:turn, 0)"), {"turn": _TURN}):
        return None
    taken = f"SELECT EXISTS (SELECT FROM {parent.default} WHERE id >= {first} AND id < {end})"
    is_there = await session.scalar(text("SELECT to_regclass(:name)"), {"name": name})
    if is_there or (parent.default and await session.scalar(text(taken))):
        return None
    # Attached, not created in place: the table itself is then locked against schema changes alone.
    await _execute(
        session,
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f'ALTER TABLE {name} OWNER TO "{parent.owner.replace(chr(34), chr(34) * 2)}"',
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({end})",
    )
    return name


async def _execute(session: AsyncSession, *statements: str) -> None:
    for each in statements:
        await session.execute(text(each))


def _month(moment: datetime, ahead: int) -> datetime:
    months = moment.astimezone(UTC).year * 12 + moment.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _name(table: str, month: datetime) -> str:
    return f"{table}_{month.year}_{month.month:02}"
