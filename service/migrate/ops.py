"""What a revision needs beside Alembic's `op`, frozen: SQL per database, times, and rows filled or refused."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from alembic import op
from sqlalchemy import Connection, DateTime, Select, column, func, select, table, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from service.migrate.errors import Refused

_BATCH_ROWS = 2000
_SAMPLE_ROWS = 5


class now(FunctionElement[datetime]):  # noqa: N801 - written like the SQL functions it stands beside
    """A server default: the present moment, on SQLite as text of the width that the service writes."""

    type = DateTime(timezone=True)
    inherit_cache = True


@compiles(now)
def _now(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(now, "sqlite")
def _now_on_sqlite(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"


def execute(*, postgresql: Iterable[str] = (), sqlite: Iterable[str] = ()) -> None:
    """Run the statements of the database at hand, one by one."""
    statements = {"postgresql": postgresql, "sqlite": sqlite}
    for statement in statements[op.get_context().dialect.name]:
        op.execute(statement)


def offline() -> bool:
    """Whether a script is being written (`--sql`), with no rows to look at."""
    return op.get_context().as_sql


def fill(name: str, columns: Mapping[str, str], value: Callable[[str], str]) -> None:
    """Set each column from another of the same row, by Python, in batches along the id.

    A script has no Python: there the rows of plain ASCII are filled by `lower`, and it ends in an error if any others
    are left, which `roster db upgrade` would fill.
    """
    if offline():
        _fill_by_script(name, columns)
        return
    connection = op.get_bind()
    rows = table(name, column("id"), *(column(each) for each in columns.values()))
    source = select(rows.c.id, *(rows.c[each] for each in columns.values())).order_by(rows.c.id).limit(_BATCH_ROWS)
    batch = connection.execute(source).all()
    while batch:
        _store(connection, name, [*columns], [(row[0], *map(value, row[1:])) for row in batch])
        batch = connection.execute(source.where(rows.c.id > batch[-1][0])).all()


def refuse_if_any(rows: Select[Any], why: str) -> None:
    """Raise Refused if the query finds rows; `why` is told with their number and the first of them."""
    if offline():
        return
    connection: Connection = op.get_bind()
    count = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
    if count:
        found = connection.execute(rows.limit(_SAMPLE_ROWS)).all()
        sample = "; ".join(", ".join(str(value) for value in row) for row in found)
        more = "; …" if count > _SAMPLE_ROWS else ""
        raise Refused(f"{why} ({count}): {sample}{more}.")


def _store(connection: Connection, name: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Update the rows, given as id and values."""
    if connection.dialect.name == "postgresql":
        # One statement a batch instead of one a row.
        settings = ", ".join(f"{each} = filled.{each}" for each in columns)
        arrays = ", ".join(["CAST(:id AS bigint[])", *(f"CAST(:{each} AS text[])" for each in columns)])
        names = ", ".join(["id", *columns])
        change = text(
            f"UPDATE {name} SET {settings} FROM unnest({arrays}) AS filled ({names}) WHERE {name}.id = filled.id"
        )
        connection.execute(change, dict(zip(["id", *columns], zip(*rows, strict=True), strict=True)))
        return
    settings = ", ".join(f"{each} = :{each}" for each in columns)
    values = [dict(zip(["id", *columns], row, strict=True)) for row in rows]
    connection.execute(text(f"UPDATE {name} SET {settings} WHERE id = :id"), values)


def _fill_by_script(name: str, columns: Mapping[str, str]) -> None:
    settings = ", ".join(f'{target} = lower({source} COLLATE "C")' for target, source in columns.items())
    plain = " AND ".join(f"octet_length({source}) = char_length({source})" for source in columns.values())
    missing = " OR ".join(f"{target} IS NULL" for target in columns)
    op.execute(f"UPDATE {name} SET {settings} WHERE {plain}")
    op.execute(
        f"DO $$ BEGIN IF EXISTS (SELECT FROM {name} WHERE {missing}) THEN RAISE EXCEPTION "
        f"'{name} holds letters beyond ASCII, which only roster db upgrade can fold'; END IF; END $$"
    )
