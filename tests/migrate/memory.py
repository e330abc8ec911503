"""SQLite databases in memory, through SQLAlchemy's own engine."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A connection to an empty database, which is closed afterwards: an engine alone keeps it open."""
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
