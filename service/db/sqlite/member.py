"""A connection of SQLAlchemy's pool that has no connection of its own: a member of those who share the writer's."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.util import await_only

from service.db.sqlite.adapter import Connection, Driver
from service.db.sqlite.group import Writer
from service.db.sqlite.unit import Unit

T = TypeVar("T")


class Member(Connection):
    """The connection of one caller; each of its transactions is a unit of the writer."""

    def __init__(self, dbapi: Any, writer: Writer) -> None:
        # In place of the parent's, which keeps a connection.
        self.dbapi = dbapi
        self.writer = writer
        self.unit: Unit | None = None
        self._is_closed = False

    @property
    def _connection(self) -> Driver | None:  # type: ignore[override]
        """What SQLAlchemy takes for the driver's connection."""
        return self.writer.driver

    def begin_with_next(self, sql: str) -> None:  # noqa: ARG002 - the writer knows what to say
        # A unit that has begun past SQLAlchemy goes on.
        self.unit = self.unit or Unit()

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            if self.unit is not None:
                return await_only(self.writer.run(self.unit, function, *arguments))
            return await_only(self.writer.run_alone(function, *arguments))
        except Exception as error:  # noqa: BLE001 - the adapter decides what SQLAlchemy sees
            self._handle_exception(error)

    def commit(self) -> None:
        unit, self.unit = self.unit, None
        if unit is not None:
            try:
                await_only(self.writer.commit(unit))
            except Exception as error:  # noqa: BLE001 - as above
                self._handle_exception(error)

    def rollback(self) -> None:
        unit, self.unit = self.unit, None
        if unit is not None:
            self.writer.roll_back(unit)

    def create_function(self, *arguments: Any, **more: Any) -> None:
        """Register a function once for all members: SQLite refuses to replace one while a statement runs."""
        driver: Any = self._connection
        if arguments[0] not in driver.functions:
            driver.functions.add(arguments[0])
            super().create_function(*arguments, **more)

    def close(self) -> None:
        if (driver := self._leave()) is not None:
            await_only(driver.close())

    def terminate(self) -> None:
        if (driver := self._leave()) is not None:
            driver.stop()

    def _leave(self) -> Driver | None:
        if self._is_closed:
            return None
        self._is_closed = True
        self.rollback()
        return self.writer.leave()


class WriterDbapi(AsyncAdapt_aiosqlite_dbapi):
    """The module of aiosqlite as SQLAlchemy sees it, whose connections share one writer."""

    def __init__(self, wait_seconds: float | None) -> None:
        super().__init__(aiosqlite, sqlite3)
        self._wait_seconds = wait_seconds
        self._writer: Writer | None = None

    def is_awaited(self) -> bool:
        """As `Writer.is_awaited`."""
        return self._writer is not None and self._writer.is_awaited()

    def connect(self, *_arguments: Any, **more: Any) -> Member:
        if self._writer is None:
            self._writer = Writer(more["async_creator_fn"], self._wait_seconds)
        await_only(self._writer.join())
        return Member(self, self._writer)
