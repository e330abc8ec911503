"""Keyset pages: each begins at the key where the previous one ended, so depth costs nothing."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, Protocol, TypeVar
from zlib import crc32

import msgspec
from sqlalchemy import ColumnElement, bindparam, literal_column, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from service.db.folding import fold
from service.db.reader import AnySelect, Query, Reader
from service.db.types import in_utc
from service.db.words import BLANKABLE_LINE, LARGEST_KEY
from service.errors import Malformed

T = TypeVar("T", bound=msgspec.Struct)

# What a cursor may hold: anyone can write one.
_Key = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_KEY)]
_KINDS: dict[type, Any] = {
    int: _Key,
    str: Annotated[str, msgspec.Meta(pattern=BLANKABLE_LINE)],
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
}

# PostgreSQL plans a bound LIMIT anew each time, for it may be any; one that is written out it plans once. Only these
# are, so that not too many statements are kept.
_USUAL = frozenset({10, 20, 25, 50, 100, 200})

_encode = msgspec.json.Encoder().encode
# Base64 with the letters of URLs, in which padding is left out.
_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")
_mark_of = msgspec.json.Decoder(tuple[int, Any, _Key]).decode


class Parameters(Protocol):
    """What a caller asks of a list; other fields are filters, and `sort` if the list can be sorted."""

    @property
    def limit(self) -> int: ...

    @property
    def cursor(self) -> str | msgspec.UnsetType: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on the bound value `:name`, and what makes that value of what the caller wrote."""

    condition: Callable[[Any], ColumnElement[bool]]
    prepare: Callable[[Any], Any] = lambda value: value


def contains(*columns: InstrumentedAttribute[str]) -> Filter:
    """A filter that finds text anywhere in folded columns."""

    def condition(value: Any) -> ColumnElement[bool]:
        return or_(*(column.like(value, escape="\\") for column in columns))

    return Filter(condition, _pattern)


def _pattern(text: str) -> str:
    folded = fold(text)
    for special in ("\\", "%", "_"):
        folded = folded.replace(special, f"\\{special}")
    return f"%{folded}%"


class Page(Generic[T]):
    """Some of a list, and the cursor that leads to the rest."""

    __slots__ = ("items", "next_cursor")

    def __init__(self, items: list[T], next_cursor: str | None) -> None:
        self.items = items
        self.next_cursor = next_cursor


class Listing(Generic[T]):
    """A list that can be sorted and filtered; each combination is compiled once and kept.

    `select` holds the columns of `row`, in order, the key first; `sorts` names the columns, none of them NULL, that
    `sort` may say.
    """

    def __init__(
        self,
        row: type[T],
        select: AnySelect,
        *,
        key: InstrumentedAttribute[int],
        sorts: Mapping[str, InstrumentedAttribute[Any]],
        filters: Mapping[str, Filter],
    ) -> None:
        self._row = row
        self._select = select
        self._key = key
        self._name = str(key)
        self._id = msgspec.structs.fields(row)[0].name
        self._sorts = sorts
        # A decoder of one type costs a third of a conversion.
        self._decode = {
            name: msgspec.json.Decoder(_cursor_type(_KINDS[column.type.python_type])).decode
            for name, column in sorts.items()
        }
        self._filters = filters
        self._query = cache(self._build)
        self._marks: dict[str, int] = {}

    async def page(self, reader: Reader, parameters: Parameters, *, fixed: Mapping[str, Any] | None = None) -> Page[T]:
        """Return one page; `fixed` are filters that the path sets.

        Raises:
            Malformed: the cursor belongs to another sort or other filters, or is none.
        """
        sort: str = getattr(parameters, "sort", "id")
        filters = self._values(parameters, fixed or {})
        bound = {name: self._filters[name].prepare(value) for name, value in filters.items()}
        mark = self._mark(sort, filters)
        after = parameters.cursor is not msgspec.UNSET
        if after:
            bound["after_sort"], bound["after_id"] = self._read_cursor(str(parameters.cursor), sort, mark)
        query = self._query(sort, frozenset(filters), after, parameters.limit if parameters.limit in _USUAL else None)
        rows = await reader.all(query, most=parameters.limit + 1, **bound)
        more = len(rows) > parameters.limit
        if more:
            rows.pop()
        by_key = self._sorts[sort.removeprefix("-")] is self._key
        items = rows if by_key else [item for item, _ in rows]
        if not more:
            return Page(items, None)
        key = getattr(items[-1], self._id)
        return Page(items, _write_cursor(mark, key if by_key else rows[-1][1], key))

    def _mark(self, sort: str, filters: Mapping[str, Any]) -> int:
        """Return what tells the cursors of this sort and these filters from others."""
        mark = None if filters else self._marks.get(sort)
        if mark is None:
            mark = crc32(_encode([self._name, sort, sorted(filters.items())]))
            if not filters:
                self._marks[sort] = mark
        return mark

    def _values(self, parameters: Parameters, fixed: Mapping[str, Any]) -> dict[str, Any]:
        values = {**fixed}
        for name in self._filters:
            if (value := getattr(parameters, name, msgspec.UNSET)) is not msgspec.UNSET:
                values[name] = value
        return values

    def _build(self, sort: str, filters: frozenset[str], after: bool, limit: int | None) -> Query[Any]:  # noqa: FBT001
        column, descending = self._sorts[sort.removeprefix("-")], sort.startswith("-")
        statement = self._select
        for name in sorted(filters):
            statement = statement.where(self._filters[name].condition(bindparam(name)))
        here: Any = self._key
        there: Any = bindparam("after_id", type_=self._key.type)
        order = [self._key]
        if column is not self._key:
            here = tuple_(column, self._key)
            there = tuple_(bindparam("after_sort", type_=column.type), there)
            order = [column, self._key]
        if after:
            statement = statement.where(here < there if descending else here > there)
        statement = statement.order_by(*(each.desc() if descending else each for each in order))
        statement = statement.limit(bindparam("most") if limit is None else literal_column(str(limit + 1)))
        row: Callable[..., T] = self._row
        if column is self._key:
            return Query(row, statement)
        return Query(lambda *values: (row(*values[:-1]), values[-1]), statement.add_columns(column))

    def _read_cursor(self, cursor: str, sort: str, mark: int) -> tuple[Any, int]:
        try:
            text = binascii.a2b_base64(_padded(cursor), strict_mode=True)
            made_for, value, key = self._decode[sort.removeprefix("-")](text)
            if made_for != mark:
                raise _of_another_list()
            if isinstance(value, datetime):
                value = in_utc(value)
        except (ValueError, RecursionError):  # base64's and msgspec's errors are ValueErrors too
            if _is_of_another_list(cursor, mark):
                raise _of_another_list() from None
            raise Malformed("The cursor is not valid: send next_cursor of a page.") from None
        return value, key


def _cursor_type(kind: Any) -> Any:
    return tuple[int, kind, _Key]


def _padded(cursor: str) -> bytes:
    return cursor.encode("ascii").translate(_STANDARD) + _PADDING[len(cursor) % 4]


def _is_of_another_list(cursor: str, mark: int) -> bool:
    try:
        return _mark_of(binascii.a2b_base64(_padded(cursor), strict_mode=True))[0] != mark
    except (ValueError, RecursionError):
        return False


def _of_another_list() -> Malformed:
    return Malformed("The cursor belongs to another sort or other filters; begin at the first page.")


def _write_cursor(mark: int, value: Any, key: int) -> str:
    return base64.urlsafe_b64encode(_encode([mark, value, key])).rstrip(b"=").decode()
