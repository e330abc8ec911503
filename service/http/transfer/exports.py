"""Exports a noun page by page as NDJSON or CSV."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, inspect

from service.db.listing import Listing
from service.db.reader import Reader
from service.http.pages import ListParameters
from service.http.transfer.parser import CSV
from service.http.wire import described

PAGE_ROWS = 1000

Format = Annotated[Literal["ndjson", "csv"], msgspec.Meta(description="Default: the format that Accept asks for.")]

_encoder = msgspec.json.Encoder()
# An export has no paging parameters: it holds every row, by id.
_OF_LISTS = ("limit", "cursor", "sort")


class Export:
    """An export of a listing, by id; the parameters of the list filter it, except those of paging."""

    def __init__(
        self,
        noun: str,
        listing: Listing[Any],
        row: type[msgspec.Struct],
        parameters: type[ListParameters],
        *,
        title: str,
    ) -> None:
        self.noun = noun
        self.title = title
        self._listing = listing
        self._listed = parameters
        self._filters = [each for each in msgspec.structs.fields(parameters) if each.name not in _OF_LISTS]
        filters: list[Any] = [(each.name, each.type, each.default) for each in self._filters]
        self.parameters = msgspec.defstruct(
            f"{row.__name__}ExportParameters",
            [("format", Format | UnsetType, UNSET), *filters],
            frozen=True,
            kw_only=True,
        )
        self.row = row
        self._names = row.__struct_fields__
        self._raws = [
            each.name for each in msgspec.structs.fields(row) if isinstance(described(each.type), inspect.RawType)
        ]
        cells = [_cell(each.type) for each in msgspec.structs.fields(row)]
        self._cells = [(name, cell) for name, cell in zip(self._names, cells, strict=True) if cell is not None]

    async def pieces(self, reader: Reader, format: str, filters: msgspec.Struct | None = None) -> AsyncIterator[bytes]:
        """Yield the file; a short statement reads each piece, and no connection is held while the caller sends it.

        Raises:
            Unavailable: the database cannot answer now.
        """
        encode = self._csv if format == CSV else _encoder.encode_lines
        # The header waits for the first rows: until they are read, a failure can still set the status.
        header = write_csv([self._names]) if format == CSV else b""
        wanted = {each.name: getattr(filters, each.name) for each in self._filters} if filters is not None else {}
        parameters = self._listed(limit=PAGE_ROWS, **wanted)
        while True:
            page = await self._listing.page(reader, parameters)
            yield header + encode(page.items)
            if page.next_cursor is None:
                return
            header = b""
            parameters = msgspec.structs.replace(parameters, cursor=page.next_cursor)

    def _csv(self, items: Sequence[Any]) -> bytes:
        rows: list[dict[str, Any]] = msgspec.to_builtins([self._plain(each) for each in items] if self._raws else items)
        for name, cell in self._cells:
            for row in rows:
                row[name] = cell(row[name])
        return write_csv(row.values() for row in rows)

    def _plain(self, item: Any) -> dict[str, Any]:
        # to_builtins knows no Raw.
        return msgspec.structs.asdict(item) | {name: bytes(getattr(item, name)).decode() for name in self._raws}


def _cell(kind: Any) -> Callable[[Any], str] | None:
    """Return the function that formats a value as an import parses it; `None` where `str` does."""
    described = inspect.type_info(kind)
    described = described.type if isinstance(described, inspect.Metadata) else described
    if isinstance(described, inspect.BoolType):
        return lambda value: "true" if value else "false"
    if isinstance(described, inspect.ListType):
        return lambda value: _encoder.encode(value).decode()
    return None


def write_csv(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """Return rows as lines of CSV; `None` is an empty cell."""
    target = io.StringIO(newline="")
    csv.writer(target).writerows(rows)
    return target.getvalue().encode()
