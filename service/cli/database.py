"""The database of a command that works on the directory, with no service running."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.errors import RosterError

if TYPE_CHECKING:
    import msgspec
    from sqlalchemy.ext.asyncio import AsyncSession

    from service.db.database import Database

T = TypeVar("T")
S = TypeVar("S", bound="msgspec.Struct")


def run_on(url: str | None, work: Callable[["Database"], Awaitable[T]]) -> T:
    """Run work on the database and return its result.

    Raises:
        RosterError: this code does not work with the schema, or the work failed.
    """
    import asyncio

    from service.db.database import Database
    from service.migrate.entrypoints import status
    from service.models import Base
    from service.schema_range import SUPPORTED
    from service.settings import Settings

    settings = Settings.from_env()
    settings = replace(settings, database_url=url) if url else settings

    async def run() -> T:
        database = Database(settings, Base.metadata)
        try:
            standing = await status.standing(settings.database_url, SUPPORTED)
            if not standing.compatibility.works:
                raise RosterError(standing.why)
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def unit(url: str | None, work: Callable[["AsyncSession"], Awaitable[T]]) -> T:
    """Run work in a session, commit, and return its result; raises as `run_on`."""
    from service.db.audit import Audit

    return run_on(url, lambda database: database.units.run(work, audit=Audit(via="cli")))


def as_struct(kind: type[S], values: dict[str, Any]) -> S:
    """Return arguments and options as the struct that the API takes; None stands for an option that is missing.

    Raises:
        UsageError: a value is not valid.
    """
    from service.errors import Invalid
    from service.http.wire import Body

    try:
        return Body(kind).convert({name: value for name, value in values.items() if value is not None})
    except Invalid as invalid:
        faults = (f"{(each.pointer or '').strip('/')}: {each.detail}" for each in invalid.faults)
        raise click.UsageError(" ".join(faults)) from None
