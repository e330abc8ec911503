"""SQL statements traced one by one, each in a transaction that is rolled back if the statement allows it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.tracer import Label, Tracer


def observe(connection: Connection, tracer: Tracer, statements: Sequence[str], *, alone: bool) -> list[Observed]:
    """Run the statements in one transaction, which is rolled back; with `alone`, each in autocommit mode, for good."""
    connection.rollback()
    tracer.begin(Label(), connection)
    connection.rollback()
    level = connection.default_isolation_level or "READ COMMITTED"
    connection.execution_options(isolation_level="AUTOCOMMIT" if alone else level)
    try:
        for each in statements:
            connection.exec_driver_sql(each)
    finally:
        connection.rollback()
        connection.execution_options(isolation_level=level)
    return tracer.observed()
