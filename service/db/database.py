"""One database as a process of the service holds it: a reader, units of work, and their engines."""

from dataclasses import replace

from sqlalchemy import MetaData

from service.db.engine import Limits, Purpose, create_engine
from service.db.reader import Reader
from service.db.sqlite.member import WriterDbapi
from service.db.uow import Units
from service.db.url_parameters import leads_through_pooler
from service.db.urls import parse_url
from service.errors import Misconfigured
from service.settings import Settings

# A connection that writes to SQLite is a place in a queue, and those who are in it share a COMMIT.
_SQLITE_WRITERS = 4


class Database:
    """Reads through `reader`, writes through `units`; connects on first use, and `close` lets everything go."""

    def __init__(self, settings: Settings, metadata: MetaData) -> None:
        limits = Limits(
            statement_seconds=settings.statement_seconds,
            lock_wait_seconds=settings.lock_wait_seconds,
            busy_seconds=settings.busy_seconds,
            pool_size=settings.pool_size,
            pool_wait_seconds=settings.pool_wait_seconds,
        )
        # Work put off until later must not open a connection again.
        self.closed = False
        url = parse_url(settings.database_url)
        pooler = settings.pooler or leads_through_pooler(url)
        self.reading = create_engine(url, Purpose.READ, limits=limits, pooler=pooler)
        if url.get_backend_name() == "sqlite":
            limits = replace(limits, pool_size=_SQLITE_WRITERS * limits.pool_size)
        self.writing = create_engine(url, Purpose.SERVE, limits=limits, pooler=pooler)
        deadline = settings.unit_deadline_seconds
        self.reader = Reader(self.reading, deadline_seconds=deadline, pooler=pooler)
        self.units = Units(self.writing, metadata, deadline_seconds=deadline)
        # Work on a session that must store nothing, on connections that cannot.
        self.lookups = Units(self.reading, metadata, deadline_seconds=deadline)

    def is_write_awaited(self) -> bool:
        """Whether others wait for the transaction that writes to SQLite; asked between the statements of that one."""
        dbapi = self.writing.dialect.dbapi
        return isinstance(dbapi, WriterDbapi) and dbapi.is_awaited()

    async def close(self) -> None:
        """Close every connection; an open one would keep the process from ending."""
        self.closed = True
        await self.reading.dispose()
        await self.writing.dispose()


def direct_url(settings: Settings) -> str:
    """The URL for migrations; raises Misconfigured if the settings know only the way through a pooler."""
    pooler = settings.pooler or leads_through_pooler(parse_url(settings.database_url))
    if pooler and not settings.migrate_url:
        raise Misconfigured(
            "The database is reached through a pooler: say in ROSTER_MIGRATE_URL where PostgreSQL itself is."
        )
    return settings.migrate_url or settings.database_url
