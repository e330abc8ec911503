"""Reading without a session: typed selects, compiled once, run on the driver's own connection, rows into structs."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.compiled import Compiled
from service.db.failures import Cure, Retries, cure
from service.db.pool import Pool
from service.db.sqlite.reads import ShortReads

T = TypeVar("T")

if TYPE_CHECKING:
    AnySelect = Select[*tuple[Any, ...]]
else:
    # SQLAlchemy 2.0's takes one parameter, 2.1's any number.
    AnySelect = Select


class Query(Generic[T]):
    """A select whose columns fill a row type, position by position; a value, made once and kept."""

    __slots__ = ("compiled", "row", "statement")

    def __init__(self, row: Callable[..., T], statement: AnySelect) -> None:
        self.row = row
        self.statement = statement
        self.compiled: dict[str, _Compiled] = {}


class Suspends(Exception):
    """A query has to wait for a thread or for the network."""


class Reader:
    """Runs queries, each in a transaction of its own, on connections that cannot write.

    A statement runs again when a second try cures what it met, until `deadline_seconds` are over.

    Raises (all methods):
        Unavailable: the database cannot answer now.
    """

    def __init__(self, engine: AsyncEngine, *, deadline_seconds: float = 10.0, pooler: bool = False) -> None:
        self._engine = engine
        self._deadline_seconds = deadline_seconds
        self._dialect = engine.dialect.name
        fetch: Callable[[Any, str, Sequence[Any]], Awaitable[Sequence[Sequence[Any]]]] = _fetch_from_postgresql
        if engine.dialect.name == "sqlite":
            fetch = _fetch_from_sqlite
        elif pooler:
            fetch = _fetch_through_pooler
        self._fetch = fetch
        self._short_reads: ShortReads | None = getattr(engine.dialect.dbapi, "short_reads", None)
        self._fetch_short = None if self._short_reads is None else self._short_reads.fetch

    async def all(self, query: Query[T], **values: Any) -> list[T]:
        """Return every row."""
        compiled = query.compiled.get(self._dialect)
        if compiled is None:
            compiled = query.compiled[self._dialect] = _Compiled(query, self._engine)
        arguments = compiled.arguments(values)
        rows = self._fetch_short(compiled.sql, arguments) if self._fetch_short is not None else None
        if rows is None:
            rows = await self._run(compiled.sql, arguments)
        return compiled.rows(rows)

    async def first(self, query: Query[T], **values: Any) -> T | None:
        """Return the first row, or `None`."""
        rows = await self.all(query, **values)
        return rows[0] if rows else None

    @property
    def immediate(self) -> "ImmediateReader | None":
        """The reader for callers that cannot wait; `None` where each query is answered through the network."""
        return None if self._short_reads is None else ImmediateReader(self._engine, self._short_reads)

    async def _run(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        retries: Retries | None = None
        while True:
            try:
                return await self._once(sql, arguments)
            except Exception as failure:  # noqa: BLE001 - wait_for_cure raises what it cannot cure
                retries = retries or Retries(self._deadline_seconds)
                await retries.wait_for_cure(failure)

    async def _once(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        pool = self._engine.sync_engine.pool
        assert isinstance(pool, Pool)  # noqa: S101 - every engine of service.db.engine has one
        connection = await pool.borrow()
        try:
            adapted: Any = connection.dbapi_connection
            driver = adapted.driver_connection
            rows = await self._fetch(driver, sql, arguments)
            if self._short_reads is not None:
                await self._short_reads.open(driver.run)
        except BaseException as failure:
            # A cancelled query may still be running there.
            if not isinstance(failure, Exception) or cure(failure) is Cure.RECONNECT:
                connection.invalidate()
            raise
        finally:
            pool.give_back(connection)
        return rows


class ImmediateReader(Reader):
    """Runs short queries of SQLite in the event loop, and no others, for requests that have just arrived.

    Raises (all methods):
        Suspends: a `Reader` has to run the query.
    """

    def __init__(self, engine: AsyncEngine, short_reads: ShortReads) -> None:
        super().__init__(engine)
        self._fetch_short = short_reads.fetch_in_turn

    async def _run(self, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:  # noqa: ARG002 - `Reader`'s signature
        raise Suspends


def _fetch_from_postgresql(driver: Any, sql: str, arguments: Sequence[Any]) -> Awaitable[Sequence[Sequence[Any]]]:
    rows: Awaitable[Sequence[Sequence[Any]]] = driver.fetch(sql, *arguments)
    return rows


async def _fetch_through_pooler(driver: Any, sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
    # A pooler takes no session settings: each statement says for itself that it only reads.
    async with driver.transaction(readonly=True):
        return await _fetch_from_postgresql(driver, sql, arguments)


def _fetch_from_sqlite(driver: Any, sql: str, arguments: Sequence[Any]) -> Awaitable[Sequence[Sequence[Any]]]:
    rows: Awaitable[Sequence[Sequence[Any]]] = driver.execute_fetchall(sql, arguments)
    return rows


class _Compiled(Compiled):
    """A query compiled for one dialect."""

    __slots__ = ("_row",)

    def __init__(self, query: Query[Any], engine: AsyncEngine) -> None:
        super().__init__(query.statement, query.statement.selected_columns, engine.dialect)
        self._row = query.row

    def rows(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        if len(rows) == 1:
            return [self._row(*self.row(rows[0]))]
        columns = self.columns(rows)
        return list(starmap(self._row, rows) if columns is None else map(self._row, *columns))
