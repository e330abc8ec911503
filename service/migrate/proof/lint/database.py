"""What no revision tells: triggers, functions, views, policies and publications of a database, as a schema."""

import asyncio
from typing import Any

from sqlalchemy import Connection

from service.migrate.entrypoints import project
from service.migrate.errors import Refused, Unusable, refusing
from service.migrate.plan.config import Source
from service.migrate.proof.lint.sql.schema import Schema

_OWN = "WHERE relnamespace = quote_ident(current_schema())::regnamespace"
_FUNCTIONS = (
    "SELECT proname, prosrc FROM pg_proc JOIN pg_language ON pg_language.oid = prolang "
    "WHERE pronamespace = quote_ident(current_schema())::regnamespace AND lanname IN ('sql', 'plpgsql')"
)
_TRIGGERS = (
    "SELECT tgname, relname, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    f"{_OWN} AND NOT tgisinternal"
)
_VIEWS = f"SELECT relname, pg_get_viewdef(oid) FROM pg_class {_OWN} AND relkind IN ('v', 'm')"
_POLICIES = "SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema()"
_PUBLICATIONS = "SELECT tablename, pubname FROM pg_publication_tables WHERE schemaname = current_schema()"
_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view')"


def read(url: str, config: Source | None) -> Schema:
    """The objects of a database; nothing is changed there.

    Raises:
        Unusable: the database cannot be read, which is no finding.
    """
    try:
        return asyncio.run(_read(url, config))
    except Refused as refused:
        raise Unusable(str(refused)) from refused


async def _read(url: str, config: Source | None) -> Schema:
    engine = project.read(config).engine(url=url)
    try:
        with refusing(engine.url):
            async with engine.connect() as connection:
                return await connection.run_sync(_objects)
    finally:
        await engine.dispose()


def _objects(connection: Connection) -> Schema:
    def asked(query: str) -> list[Any]:
        return list(connection.exec_driver_sql(query))

    if connection.dialect.name == "sqlite":
        found = asked(_SQLITE)
        return Schema(
            triggers={(name, table): sql for kind, name, table, sql in found if kind == "trigger"},
            views={name: sql for kind, name, _, sql in found if kind == "view"},
        )
    published: dict[str, set[str]] = {}
    for table, publication in asked(_PUBLICATIONS):
        published.setdefault(table, set()).add(publication)
    return Schema(
        functions=dict(map(tuple, asked(_FUNCTIONS))),
        triggers={(name, table): text for name, table, text in asked(_TRIGGERS)},
        views=dict(map(tuple, asked(_VIEWS))),
        policies=dict.fromkeys(asked(_POLICIES), ""),
        published={table: frozenset(names) for table, names in published.items()},
    )
