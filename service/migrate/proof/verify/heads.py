"""The schema at the newest revision: against the models, and SQLite against PostgreSQL."""

import asyncio
from collections.abc import Iterator

from sqlalchemy import Connection

from service.migrate.entrypoints import commands, project
from service.migrate.errors import Refused
from service.migrate.plan.config import Source
from service.migrate.proof.diagram import reading
from service.migrate.proof.diagram.schema import Column, Schema
from service.migrate.proof.drift import models
from service.migrate.proof.drift.difference import Difference
from service.migrate.proof.finding import Finding
from service.migrate.proof.verify.findings import Rule, found
from service.migrate.proof.verify.verify import unsaid

_HEAD = "head"


def made(url: str, database: str, config: Source | None) -> tuple[Schema | None, list[Finding]]:
    """The schema that all revisions make in an empty database, and where it differs from the models."""
    try:
        commands.upgrade(url, "heads", config=config, report=unsaid)
        differences = models.named(commands.differences(url, config=config))
    except Refused as refused:
        return None, [_found(Rule.FAILS, database, "upgrade", str(refused))]
    return asyncio.run(_read(url, config)), [
        _found(Rule.MODELS, database, "models", described(each)) for each in differences
    ]


def described(difference: Difference) -> str:
    """The line of a difference between the revisions and the models."""
    revisions, expected = (" ".join((text or "").split()) for text in (difference.database, difference.expected))
    if difference.where == "different":
        return f"{difference.object} differs: {expected} in the models, {revisions} in the revisions"
    side, definition = ("models", expected) if difference.database is None else ("revisions", revisions)
    return f"{difference.object} is only in the {side}" + (f": {definition}" if definition else "")


def compared(sqlite: Schema, postgresql: Schema) -> list[Finding]:
    """Where the two databases have other tables, columns, keys or references; types have other names by nature."""
    return [
        _found(Rule.DATABASES, "both", "databases", what)
        for what in (*_missing(sqlite, postgresql, "PostgreSQL"), *_missing(postgresql, sqlite, "SQLite"))
    ]


def _found(rule: Rule, database: str, phase: str, what: str) -> Finding:
    return found(rule, what, revision=_HEAD, database=database, phase=phase)


def _missing(one: Schema, other: Schema, name: str) -> Iterator[str]:
    there = {table.name: {_described(each) for each in table.columns} for table in other.tables}
    for table in one.tables:
        if table.name not in there:
            yield f"{name} has no table {table.name}"
            continue
        for column in table.columns:
            if _described(column) not in there[table.name]:
                yield f"{name} has no {_described(column)} in {table.name}"
    for relation in set(one.relations) - set(other.relations):
        yield f"{name} has no reference from {relation.table}.{', '.join(relation.columns)} to {relation.referred}"


def _described(column: Column) -> str:
    marks = ["key"] if column.is_key else []
    marks += ["unique"] if column.is_unique else []
    marks += ["NULL" if column.is_nullable else "NOT NULL"]
    return f"column {column.name} ({', '.join(marks)})"


async def _read(url: str, config: Source | None) -> Schema:
    engine = project.read(config).engine(url=url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_of_database)
    finally:
        await engine.dispose()


def _of_database(connection: Connection) -> Schema:
    return reading.of_database(connection)
