"""Reads from a server which locks the statements of the corpus take, with few rows."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from bench.lint.corpus import Corpus
from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.statements import observe
from service.migrate.proof.trace.tracer import Tracer

_EMPTY = "DROP SCHEMA IF EXISTS public, other CASCADE; CREATE SCHEMA public;"


def read(
    connection: Connection, tracer: Tracer, corpus: Corpus, version: int, *, rows: int
) -> Iterator[tuple[str, list[Observed]]]:
    """Yield each statement's name with what the tracer observed in the database, which is cleared."""
    is_clean = False
    for name, statement in corpus.of(version).items():
        if not is_clean:
            script(connection, _EMPTY + corpus.tables(rows))
        if statement.setup:
            script(connection, "; ".join(statement.setup))
        yield name, observe(connection, tracer, statement.sql, alone=statement.alone)
        is_clean = not statement.keeps_changes


def script(connection: Connection, text: str) -> None:
    """Run several statements in one transaction, and commit."""
    connection.rollback()
    adapted: Any = connection.connection.dbapi_connection
    adapted.run_async(lambda driver: driver.execute(text))
    connection.rollback()
