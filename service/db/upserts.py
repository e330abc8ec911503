"""INSERT that gives way to a row that is there already, in the words of either database."""

from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(table: Table, dialect: Dialect) -> Any:
    """Return the dialect's own INSERT, which knows ON CONFLICT; both databases write it alike."""
    return (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
