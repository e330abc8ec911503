"""Everything of one noun, page by page, as lines of NDJSON or CSV."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, inspect

from service.db.listing import Listing
from service.db.reader import Reader
from service.http.pages import ListParameters
from service.http.transfer import csv_reader
from service.http.transfer.parser import CSV

PAGE_ROWS = 1000

Format = Annotated[Literal["ndjson", "csv"], msgspec.Meta(description="Default: the format that Accept asks for.")]

_encoder = msgspec.json.Encoder()
# How everything is exported is not asked for: by id, from the first to the last.
_OF_LISTS = ("limit", "cursor", "sort")


class Export:
    """What an export of one noun shows: all of a listing, by id; its `parameters` but those of pages filter it."""

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
        cells = [_cell(each.type) for each in msgspec.structs.fields(row)]
        self._cells = [(name, cell) for name, cell in zip(self._names, cells, strict=True) if cell is not None]

    async def pieces(self, reader: Reader, format: str, filters: msgspec.Struct | None = None) -> AsyncIterator[bytes]:
        """Yield the file; each piece is read by one short statement, and no connection is held while it is sent.

        Raises:
            Unavailable: the database cannot answer now.
        """
        encode = self._csv if format == CSV else _encoder.encode_lines
        # The header waits for the first rows: until then a failure can be told by the status.
        header = csv_reader.write([self._names]) if format == CSV else b""
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
        rows: list[dict[str, Any]] = msgspec.to_builtins(items)
        for name, cell in self._cells:
            for row in rows:
                row[name] = cell(row[name])
        return csv_reader.write(row.values() for row in rows)


def _cell(kind: Any) -> Callable[[Any], str] | None:
    """Return what writes a value as an import reads it, where `str` would not."""
    described = inspect.type_info(kind)
    described = described.type if isinstance(described, inspect.Metadata) else described
    if isinstance(described, inspect.BoolType):
        return lambda value: "true" if value else "false"
    if isinstance(described, inspect.ListType):
        return lambda value: _encoder.encode(value).decode()
    return None
