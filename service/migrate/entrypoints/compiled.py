"""Compiled statements that the engines of a process share: each command makes an engine, whose own cache is empty."""

from collections.abc import Hashable
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.engine import Compiled

MOST = 500


class SharedCompiled(dict[Hashable, Compiled]):
    """A `compiled_cache` in which engines of one dialect, driver and server version find each other's statements.

    https://docs.sqlalchemy.org/en/20/core/connections.html#sql-caching: an engine's key begins with its own dialect.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_shared(key), default)

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        if len(self) >= MOST:
            self.clear()
        super().__setitem__(_shared(key), compiled)


def _shared(key: tuple[Any, ...]) -> Hashable:
    dialect, *rest = key
    if not isinstance(dialect, Dialect):
        return key
    return (dialect.name, dialect.driver, getattr(dialect, "server_version_info", None), *rest)
