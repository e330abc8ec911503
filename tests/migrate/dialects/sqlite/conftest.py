from collections.abc import Iterator

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine, event

import service.migrate.dialects.sqlite.impl  # noqa: F401 - it registers itself with Alembic


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty database in memory, as a migration finds it: foreign keys off, its own BEGIN."""
    engine = create_engine("sqlite://", connect_args={"isolation_level": None})

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def op(connection: Connection) -> Operations:
    """Alembic's operations, as a revision calls them."""
    return Operations(MigrationContext.configure(connection))
