"""Row security of a migration session: PostgreSQL raises an error where a policy would hide a row."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

# The subquery, which OFFSET 0 keeps one, reads the old value before the new one is set.
_SET = """
    SELECT before, set_config('row_security', '{value}', {local})
    FROM (SELECT current_setting('row_security') AS before OFFSET 0) AS earlier
"""


@contextmanager
def no_hidden_rows(connection: Connection, *, own: bool) -> Iterator[None]:
    """Set `row_security = off` inside the block: a count, a check or a backfill reads every row or fails.

    An `own` connection keeps the setting, since the migrator closes it.

    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-ROW-SECURITY
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    inside = connection.in_transaction()
    before = _set(connection, "off", inside=inside)
    try:
        yield
    finally:
        # The transaction of the caller may be aborted, and the connection lost: both forget the setting.
        with suppress(DBAPIError):
            if not inside:
                connection.rollback()
            if not own:
                _set(connection, before, inside=inside)


def _set(connection: Connection, value: str, *, inside: bool) -> str:
    """Set row_security, and return its value before."""
    sql = _SET.format(value=value, local=str(inside).lower())
    before: str = connection.exec_driver_sql(sql).scalar_one()
    if not inside:
        connection.commit()
    return before
