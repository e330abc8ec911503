"""One batch of a fill, as SQL: which rows it takes, and what they get."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from service.migrate import sql
from service.migrate.errors import Refused
from service.migrate.steps import Fill

Key = tuple[Any, ...]


class Window(NamedTuple):
    """The rows that a batch looks at: how many, and the key of the last."""

    rows: int
    last: Key | None


def window(connection: Connection, fill: Fill, after: Key | None, rows: int) -> Window:
    """The next rows along the key, after the one of the last batch."""
    keys = sql.listed(fill.key)
    where, values = _after(fill, after)
    found = connection.execute(
        text(f"SELECT {keys} FROM {sql.quoted(fill.table)}{where} ORDER BY {keys} LIMIT :rows"),
        {**values, "rows": rows},
    ).all()
    return Window(len(found), tuple(found[-1]) if found else None)


def fill(connection: Connection, fill: Fill, after: Key | None, upto: Key | None) -> int:
    """Fill what is left of a window, and return how many rows that were."""
    condition, values = _between(fill, after, upto)
    if fill.by is not None:
        return _by_function(connection, fill, condition, values)
    if fill.statement is not None:
        written = fill.statement if isinstance(fill.statement, str) else fill.statement[connection.dialect.name]
        statement = written.replace("{batch}", condition)
    else:
        settings = ", ".join(f"{sql.quoted(name)} = {value}" for name, value in (fill.assign or {}).items())
        statement = f"UPDATE {sql.quoted(fill.table)} SET {settings} WHERE {condition} AND ({fill.left})"
    return max(connection.execute(_text(statement, values), values).rowcount, 0)


def left(connection: Connection, fill: Fill) -> int:
    """How many rows are still to be filled; all of the table is looked at."""
    if fill.unless is not None and connection.exec_driver_sql(fill.unless).scalar():
        return 0
    count: int = connection.execute(
        _text(f"SELECT count(*) FROM {sql.quoted(fill.table)} WHERE {fill.left}", {})
    ).scalar_one()
    return count


def sample(connection: Connection, fill: Fill, rows: int) -> list[Key]:
    """The keys of the first rows that are still to be filled."""
    keys = sql.listed(fill.key)
    asked = f"SELECT {keys} FROM {sql.quoted(fill.table)} WHERE {fill.left} ORDER BY {keys} LIMIT {rows}"
    return [tuple(row) for row in connection.execute(_text(asked, {}))]


def total(connection: Connection, fill: Fill) -> int:
    """How many rows the table has; PostgreSQL's estimate where it has one."""
    if connection.dialect.name == "postgresql":
        asked = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        estimate: int | None = connection.execute(asked, {"name": sql.quoted(fill.table)}).scalar()
        if estimate is not None and estimate > 0:
            return estimate
    count: int = connection.exec_driver_sql(f"SELECT count(*) FROM {sql.quoted(fill.table)}").scalar_one()
    return count


def _by_function(connection: Connection, fill: Fill, condition: str, values: dict[str, Any]) -> int:
    """Read, compute, write; a row whose source was changed meanwhile is left to the next pass."""
    assert fill.by is not None  # noqa: S101 - asked only then
    names = [*fill.key, *fill.read]
    rows = connection.execute(
        _text(
            f"SELECT {sql.listed(names)} FROM {sql.quoted(fill.table)} "
            f"WHERE {condition} AND ({fill.left}) ORDER BY {sql.listed(fill.key)}",
            values,
        ),
        values,
    ).all()
    computed = [(*row, *_values(fill, tuple(row))) for row in rows]
    if not computed:
        return 0
    write = _update_many if connection.dialect.name == "postgresql" else _update_each
    return write(connection, fill, computed)


def _values(fill: Fill, row: tuple[Any, ...]) -> tuple[Any, ...]:
    key, read = row[: len(fill.key)], row[len(fill.key) :]
    assert fill.by is not None  # noqa: S101 - as above
    try:
        made = fill.by(*read)
    except Exception as error:
        told = ", ".join(map(str, key))
        raise Refused(f"{fill.title}: its function failed at the row {told} of {fill.table}: {error!r}.") from error
    if len(made) != len(fill.write):
        raise Refused(f"{fill.title}: its function returns one value for each of {', '.join(fill.write)}, as a tuple.")
    return made


def _update_many(connection: Connection, fill: Fill, rows: Sequence[tuple[Any, ...]]) -> int:
    """One statement for all rows, with an array for each column, of the column's own type."""
    names = [
        *(f"k_{name}" for name in fill.key),
        *(f"r_{name}" for name in fill.read),
        *(f"w_{name}" for name in fill.write),
    ]
    columns = [*fill.key, *fill.read, *fill.write]
    types = _types(connection, fill.table)
    arrays = ", ".join(f"CAST(:{name} AS {types[column]}[])" for name, column in zip(names, columns, strict=True))
    settings = ", ".join(f"{sql.quoted(name)} = made.{sql.quoted(f'w_{name}')}" for name in fill.write)
    table = sql.quoted(fill.table)
    same = " AND ".join(
        [
            *(f"{table}.{sql.quoted(name)} = made.{sql.quoted(f'k_{name}')}" for name in fill.key),
            *(f"{table}.{sql.quoted(name)} IS NOT DISTINCT FROM made.{sql.quoted(f'r_{name}')}" for name in fill.read),
        ]
    )
    statement = text(f"UPDATE {table} SET {settings} FROM unnest({arrays}) AS made ({sql.listed(names)}) WHERE {same}")
    values = dict(zip(names, (list(each) for each in zip(*rows, strict=True)), strict=True))
    return max(connection.execute(statement, values).rowcount, 0)


def _update_each(connection: Connection, fill: Fill, rows: Sequence[tuple[Any, ...]]) -> int:
    names = [
        *(f"k_{name}" for name in fill.key),
        *(f"r_{name}" for name in fill.read),
        *(f"w_{name}" for name in fill.write),
    ]
    settings = ", ".join(f"{sql.quoted(name)} = :w_{name}" for name in fill.write)
    same = " AND ".join(
        [
            *(f"{sql.quoted(name)} = :k_{name}" for name in fill.key),
            *(f"{sql.quoted(name)} IS :r_{name}" for name in fill.read),
        ]
    )
    statement = text(f"UPDATE {sql.quoted(fill.table)} SET {settings} WHERE {same}")
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
    return len(rows)


def _types(connection: Connection, table: str) -> dict[str, str]:
    """The type of each column, without its length: a cast to that would cut a value short without a word."""
    found = connection.execute(
        text(
            "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute "
            "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
        ),
        {"name": sql.quoted(table)},
    )
    return {row.attname: row.type for row in found}


def _after(fill: Fill, after: Key | None) -> tuple[str, dict[str, Any]]:
    if after is None:
        return "", {}
    condition, values = _compared(fill, ">", "after", after)
    return f" WHERE {condition}", values


def _between(fill: Fill, after: Key | None, upto: Key | None) -> tuple[str, dict[str, Any]]:
    """The condition on the rows of a window, and its values."""
    assert upto is not None  # noqa: S101 - an empty window is not filled
    condition, values = _compared(fill, "<=", "upto", upto)
    if after is not None:
        above, more = _compared(fill, ">", "after", after)
        condition, values = f"{above} AND {condition}", {**more, **values}
    return f"({condition})", values


def _compared(fill: Fill, operator: str, prefix: str, key: Key) -> tuple[str, dict[str, Any]]:
    values = {f"{prefix}_{number}": value for number, value in enumerate(key)}
    table = sql.quoted(fill.table)
    columns = ", ".join(f"{table}.{sql.quoted(name)}" for name in fill.key)
    marks = ", ".join(f":{name}" for name in values)
    if len(key) == 1:
        return f"{columns} {operator} {marks}", values
    return f"({columns}) {operator} ({marks})", values


def _text(statement: str, values: dict[str, Any]) -> Any:
    """The statement with its own colons left alone: those that begin no value of ours."""
    escaped = statement.replace(":", "\\:")
    for name in values:
        escaped = escaped.replace(f"\\:{name}", f":{name}")
    return text(escaped)
