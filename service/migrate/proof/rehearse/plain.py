"""The same change in Alembic's plain style: what autogenerate finds, in one transaction without timeouts."""

import asyncio
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.operations.ops import MigrateOperation, OpContainer, UpgradeOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from service.migrate.entrypoints import project
from service.migrate.proof.diagram.reading import is_own

_PARTITIONS = "SELECT relname FROM pg_class WHERE relispartition"


class PlainChange:
    """The change from the schema of a database to the models of a project, and back."""

    def __init__(self, url: str, config: str) -> None:
        self._project = project.read(config)
        self._url = project.url_of(url)
        self._done: UpgradeOps | None = None

    def up(self) -> None:
        """Bring the schema to that of the models."""
        asyncio.run(self._run(self._up))

    def down(self) -> None:
        """Bring it back; what `up` dropped comes back empty."""
        asyncio.run(self._run(self._down))

    async def _run(self, work: Any) -> None:
        name = {"application_name": f"{self._project.naming.application} migrate"}
        arguments = {"server_settings": name} if self._url.get_backend_name() == "postgresql" else {}
        engine = create_async_engine(self._url, connect_args=arguments)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(work)
        finally:
            await engine.dispose()

    def _up(self, connection: Connection) -> None:
        context = _context(connection, self._project.metadata)
        found = produce_migrations(context, self._project.metadata).upgrade_ops
        if found is not None:
            _perform(context, found)
        self._done = found

    def _down(self, connection: Connection) -> None:
        if self._done is not None:
            _perform(_context(connection, self._project.metadata), self._done.reverse())


def _context(connection: Connection, metadata: MetaData) -> MigrationContext:
    # A partition is created with the data, and goes with its table.
    partitions = (
        set(connection.exec_driver_sql(_PARTITIONS).scalars()) if connection.dialect.name == "postgresql" else set()
    )

    def is_included(name: str | None, kind: str, _parents: object) -> bool:
        return not (kind == "table" and name is not None and (is_own(name) or name in partitions))

    options = {"target_metadata": metadata, "include_name": is_included, "compare_type": True}
    return MigrationContext.configure(connection, opts=options)


def _perform(context: MigrationContext, container: OpContainer) -> None:
    operations = Operations(context)
    for each in _flat(container):
        operations.invoke(each)


def _flat(container: OpContainer) -> Iterator[MigrateOperation]:
    for each in container.ops:
        if isinstance(each, OpContainer):
            yield from _flat(each)
        else:
            yield each
