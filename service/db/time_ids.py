"""Ids that are the time of their row: microseconds since 1970 in UTC, exact in JSON's numbers until the year 2255."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, TypeDecorator

from service.db import clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TimeIds:
    """Gives out ids in rising order; another process may give out the same one."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the present moment as an id, greater than every id before it."""
        self._last = max(id_at(clock.now()), self._last + 1)
        return self._last


def id_at(moment: datetime) -> int:
    """Return the id that a row of this moment has."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(id: int) -> datetime:
    """Return the moment of an id."""
    return _EPOCH + id * _MICROSECOND


class TimeOfId(TypeDecorator[datetime]):
    """Reads an id as its moment; for columns of a SELECT alone."""

    impl = BigInteger
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        return moment_of
