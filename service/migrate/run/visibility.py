"""Row security of a migration session: PostgreSQL raises an error where a policy would hide a row."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


@contextmanager
def no_hidden_rows(connection: Connection) -> Iterator[None]:
    """Set `row_security = off` inside the block: a count, a check or a backfill reads every row or fails.

    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    inside = connection.in_transaction()
    before = connection.exec_driver_sql("SHOW row_security").scalar_one()
    _set(connection, "off", inside=inside)
    try:
        yield
    finally:
        # The transaction of the caller may be aborted, and the connection lost: both forget the setting.
        with suppress(DBAPIError):
            if not inside:
                connection.rollback()
            _set(connection, before, inside=inside)


def _set(connection: Connection, value: str, *, inside: bool) -> None:
    connection.exec_driver_sql(f"SET {'LOCAL ' if inside else ''}row_security = {value}")
    if not inside:
        connection.commit()
