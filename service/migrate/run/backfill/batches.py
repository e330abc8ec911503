"""The batches of a backfill as SQL: the window of rows of each, and the statement that fills them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from service.migrate.dialects import ddl
from service.migrate.dialects.comparison import image_differs
from service.migrate.errors import Refused
from service.migrate.operations.counted import counted_change
from service.migrate.operations.step import Backfill

# On PostgreSQL as text, as in the ledger: the cast works for a key of any type.
Key = tuple[Any, ...]


class Window(NamedTuple):
    """The rows of a batch: their number, and the key of the last one."""

    rows: int
    last: Key | None


@dataclass
class Batches:
    """One backfill on one connection, in the open transaction."""

    connection: Connection
    backfill: Backfill

    def window(self, after: Key | None, rows: int) -> Window:
        """The next rows in the order of the key, after the last row of the previous batch."""
        where, values = self._compared(">", "after", after)
        keys = ddl.listed(self.backfill.key)
        # Qualified: the bare name would be the selected text, in which "99" sorts after "500".
        descending = ", ".join(f"taken.{ddl.quoted(name)} DESC" for name in self.backfill.key)
        texts = ", ".join(self._text_of(name) for name in self.backfill.key)
        taken = f"SELECT {keys} FROM {self._table} WHERE {where} ORDER BY {keys} LIMIT :rows"
        asked = f"SELECT count(*) OVER (), {texts} FROM ({taken}) AS taken ORDER BY {descending} LIMIT 1"
        found = self.connection.execute(text(asked), {**values, "rows": rows}).one_or_none()
        return Window(0, None) if found is None else Window(found[0], tuple(found[1:]))

    def take(self, after: Key | None, upto: Key) -> int:
        """Fill the rows of a window that `left` selects, and return their number."""
        above, lower = self._compared(">", "after", after)
        below, upper = self._compared("<=", "upto", upto)
        window, values = f"({above} AND {below})", lower | upper
        if self.backfill.by is not None:
            return self._take_by_function(window, values)
        if self.backfill.statement is not None:
            given = self.backfill.statement
            statement = given if isinstance(given, str) else given[self.connection.dialect.name]
            statement = statement.replace("{batch}", window)
        else:
            settings = ", ".join(
                f"{ddl.quoted(name)} = {value}" for name, value in (self.backfill.assign or {}).items()
            )
            statement = f"UPDATE {self._table} SET {settings}{self._counted} WHERE {window} AND ({self.backfill.left})"
        return max(self.connection.execute(_text(statement, values), values).rowcount, 0)

    def failing(self, after: Key | None, rows: int) -> Key | None:
        """The key of the first row of a window that cannot be filled; the rows before it are not filled either."""
        trial = self.connection.begin_nested()
        try:
            for _ in range(rows):
                window = self.window(after, 1)
                if window.last is None:
                    return None
                try:
                    self.take(after, window.last)
                except DBAPIError:
                    return window.last
                after = window.last
        finally:
            trial.rollback()
        return None

    def left(self) -> int:
        """The number of rows that are still to be filled, by a scan of the table."""
        if self.backfill.unless is not None and self.connection.exec_driver_sql(self.backfill.unless).scalar():
            return 0
        asked = f"SELECT count(*) FROM {self._table} WHERE {self.backfill.left}"
        count: int = self.connection.execute(_text(asked)).scalar_one()
        return count

    def sample(self, rows: int) -> list[Key]:
        """The keys of the first rows that are still to be filled."""
        keys = ddl.listed(self.backfill.key)
        asked = f"SELECT {keys} FROM {self._table} WHERE {self.backfill.left} ORDER BY {keys} LIMIT {rows}"
        return [tuple(row) for row in self.connection.execute(_text(asked))]

    def total(self) -> int:
        """The number of rows of the table; on PostgreSQL the planner's estimate if there is one."""
        if self._is_postgresql:
            asked = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
            estimate: int | None = self.connection.execute(asked, {"name": self._table}).scalar()
            if estimate is not None and estimate > 0:
                return estimate
        count: int = self.connection.exec_driver_sql(f"SELECT count(*) FROM {self._table}").scalar_one()
        return count

    def _take_by_function(self, window: str, values: dict[str, Any]) -> int:
        """Read, compute, write; a row whose source columns changed in between is left to the next pass."""
        keys = ddl.listed(self.backfill.key)
        names = ddl.listed((*self.backfill.key, *self.backfill.read))
        asked = f"SELECT {names} FROM {self._table} WHERE {window} AND ({self.backfill.left}) ORDER BY {keys}"
        rows = self.connection.execute(_text(asked, values), values).all()
        computed = [(*row, *self._computed(tuple(row))) for row in rows]
        if not computed:
            return 0
        return self._update_many(computed) if self._is_postgresql else self._update_each(computed)

    def _computed(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        backfill, key, read = self.backfill, row[: len(self.backfill.key)], row[len(self.backfill.key) :]
        assert backfill.by is not None  # noqa: S101 - asked only then
        at = f"at the row {', '.join(map(str, key))} of {backfill.table}"
        try:
            made: object = backfill.by(*read)
        except Exception as error:
            raise Refused(f"{backfill.title}: the function `by` failed {at}: {error!r}.") from error
        if not isinstance(made, (tuple, list)) or len(made) != len(backfill.write):
            names = ", ".join(backfill.write)
            raise Refused(
                f"{backfill.title}: the function `by` returned {made!r} {at}. Return a tuple with a value for each of "
                f"{names}."
            )
        return tuple(made)

    def _update_many(self, rows: Sequence[tuple[Any, ...]]) -> int:
        """UPDATE … FROM unnest: one statement for all rows, with an array of the column's type for each column."""
        marks = {**self._keys, **self._read, **self._written}
        arrays = ", ".join(f"CAST(:{mark} AS {self._types[name]}[])" for mark, name in marks.items())
        settings = ", ".join(f"{ddl.quoted(name)} = made.{mark}" for mark, name in self._written.items())
        same = " AND ".join(
            (
                *(f"{self._table}.{ddl.quoted(name)} = made.{mark}" for mark, name in self._keys.items()),
                *(self._unchanged(name, f"made.{mark}") for mark, name in self._read.items()),
            )
        )
        made = f"unnest({arrays}) AS made ({', '.join(marks)})"
        values = dict(zip(marks, (list(each) for each in zip(*rows, strict=True)), strict=True))
        statement = text(f"UPDATE {self._table} SET {settings}{self._counted} FROM {made} WHERE {same}")
        return max(self.connection.execute(statement, values).rowcount, 0)

    def _unchanged(self, name: str, read: str) -> str:
        """Whether a column still has the value that was read."""
        column = f"{self._table}.{ddl.quoted(name)}"
        if self._types[name].startswith("interval"):
            # Python has no months: `=` takes the 30 days that were read for the month that is stored.
            return f"{column} IS NOT DISTINCT FROM {read}"
        return f"NOT {image_differs(column, read)}"

    def _update_each(self, rows: Sequence[tuple[Any, ...]]) -> int:
        marks = {**self._keys, **self._read, **self._written}
        settings = ", ".join(f"{ddl.quoted(name)} = :{mark}" for mark, name in self._written.items())
        same = " AND ".join(
            (
                *(f"{ddl.quoted(name)} = :{mark}" for mark, name in self._keys.items()),
                *(f"{ddl.quoted(name)} COLLATE BINARY IS :{mark}" for mark, name in self._read.items()),
            )
        )
        statement = text(f"UPDATE {self._table} SET {settings}{self._counted} WHERE {same}")
        written = self.connection.execute(statement, [dict(zip(marks, row, strict=True)) for row in rows])
        return max(written.rowcount, 0)

    def _compared(self, operator: str, prefix: str, key: Key | None) -> tuple[str, dict[str, Any]]:
        """A condition on the key, and its parameters; TRUE without a key to compare with."""
        if key is None:
            return "TRUE", {}
        marks = [f"{prefix}{number}" for number in range(len(key))]
        columns = ", ".join(f"{self._table}.{ddl.quoted(name)}" for name in self.backfill.key)
        values = ", ".join(self._value_of(name, mark) for name, mark in zip(self.backfill.key, marks, strict=True))
        return f"({columns}) {operator} ({values})", dict(zip(marks, key, strict=True))

    def _text_of(self, column: str) -> str:
        name = ddl.quoted(column)
        return f"CAST({name} AS text)" if self._is_postgresql else name

    def _value_of(self, column: str, mark: str) -> str:
        return f"CAST(CAST(:{mark} AS text) AS {self._types[column]})" if self._is_postgresql else f":{mark}"

    @property
    def _is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    @cached_property
    def _counted(self) -> str:
        return counted_change(self.connection, self.backfill.table) if self.backfill.is_change else ""

    @property
    def _table(self) -> str:
        return ddl.quoted(self.backfill.table)

    @cached_property
    def _keys(self) -> dict[str, str]:
        """The columns of the key by the names of their parameters; `_read` and `_written` alike."""
        return {f"k{number}": name for number, name in enumerate(self.backfill.key)}

    @cached_property
    def _read(self) -> dict[str, str]:
        return {f"r{number}": name for number, name in enumerate(self.backfill.read)}

    @cached_property
    def _written(self) -> dict[str, str]:
        return {f"w{number}": name for number, name in enumerate(self.backfill.write)}

    @cached_property
    def _types(self) -> dict[str, str]:
        """The type of each column without its length: a cast to varchar(n) would truncate a value silently."""
        found = self.connection.execute(
            text(
                "SELECT attname, format_type(atttypid, -1) AS type FROM pg_attribute "
                "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
            ),
            {"name": self._table},
        )
        return {row.attname: row.type for row in found}


def _text(statement: str, values: Iterable[str] = ()) -> TextClause:
    """The statement with escaped colons, except those of the parameters in `values`."""
    escaped = statement.replace(":", "\\:")
    for name in values:
        escaped = escaped.replace(f"\\:{name}", f":{name}")
    return text(escaped)
