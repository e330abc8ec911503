"""Reads CSV (RFC 4180) records with the number of the line in which each begins."""

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from service.http.transfer.splitter import LONGEST_LINE, TOO_LONG, Block

NOT_UTF8 = "This is not UTF-8."
NEVER_CLOSED = "A quote is opened here and never closed, so nothing after it was read."
UNCLOSED = f"A quote is opened here and not closed within {LONGEST_LINE:,} characters."


class Record(NamedTuple):
    """The cells of a record, or the fault that makes them unreadable."""

    line: int
    cells: list[str]
    fault: str | None = None


class CsvReader:
    """Reads records from blocks of lines; a record that is cut by the end of a block is read with the next block."""

    def __init__(self) -> None:
        self._carried = ""
        self._carried_line = 0
        # Whether some of the text, also of the carried text, is not UTF-8.
        self._dirty = False
        # Inside a quoted field over LONGEST_LINE, until a quote closes it.
        self._skips = False

    def read(self, block: Block) -> Iterator[Record]:
        if block.text is None:
            yield from self._too_long(block)
            return
        try:
            text, dirty = block.text.decode(), False
        except UnicodeDecodeError:
            # surrogateescape marks invalid bytes, so that only their record fails.
            text, dirty = block.text.decode(errors="surrogateescape"), True
        line = block.line
        if self._skips:
            closed = _end_of_quote(text)
            if closed is None:
                return
            self._skips = False
            line, text = line + text.count("\n", 0, closed), text[closed:]
        if self._carried:
            line, text, self._carried = self._carried_line, self._carried + text, ""
        self._dirty = self._dirty or dirty
        yield from self._plain(line, text) or self._records(line, text)

    def plain(self, block: Block) -> list[list[str]] | None:
        """Return the cells of a block in which each record is one line; else `None`, and `read` has to read it."""
        if block.text is None or self._carried or self._skips or self._dirty:
            return None
        try:
            text = block.text.decode()
        except UnicodeDecodeError:
            return None
        return _lines(text)

    def finish(self) -> Iterator[Record]:
        """Yield the record that the end of the file cuts."""
        if self._carried:
            # No more text can complete the record.
            yield Record(self._carried_line, [], _fault(self._carried))
            self._carried = ""

    def _plain(self, line: int, text: str) -> list[Record] | None:
        """Return the records of text in which each record is one line, as in most files; else `None`."""
        rows = None if self._dirty else _lines(text)
        return rows and [Record(at, cells) for at, cells in enumerate(rows, start=line) if cells]  # type: ignore[return-value]

    def _records(self, line: int, text: str) -> Iterator[Record]:
        source = io.StringIO(text, newline="\n")
        reader = csv.reader(source, strict=True)
        at = end = 0
        while True:
            begun, at = line + reader.line_num, end
            try:
                cells = next(reader)
            except StopIteration:
                self._dirty = False
                return
            except csv.Error as error:
                end = source.tell()
                if end == len(text):
                    # The next block may hold the rest of this record.
                    yield from self._carry(begun, text[at:])
                    return
                yield Record(begun, [], f"This is not CSV: {error}.")
                continue
            end = source.tell()
            if not cells:
                continue
            if end - at > LONGEST_LINE:
                yield Record(begun, [], UNCLOSED)
            elif self._dirty and not _is_utf8(cells):
                yield Record(begun, cells, NOT_UTF8)
            else:
                yield Record(begun, cells)

    def _carry(self, line: int, text: str) -> Iterator[Record]:
        if len(text) > LONGEST_LINE:
            self._skips = True
            yield Record(line, [], UNCLOSED)
        else:
            self._carried, self._carried_line = text, line

    def _too_long(self, block: Block) -> Iterator[Record]:
        open_before = bool(self._carried) or self._skips
        if not self._skips:
            yield Record(self._carried_line if self._carried else block.line, [], TOO_LONG)
        self._carried = ""
        self._skips = open_before != block.quoted


def _lines(text: str) -> list[list[str]] | None:
    """Return the cells of each line; `None` unless each record is one line."""
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    try:
        rows = [*reader]
    except csv.Error:
        return None
    return rows if len(rows) == reader.line_num else None


def _end_of_quote(text: str) -> int | None:
    """Return the end of the first line that closes the quote."""
    at = 0
    for each in io.StringIO(text, newline="\n"):
        at += len(each)
        if each.count('"') % 2:
            return at
    return None


def _fault(text: str) -> str:
    try:
        list(csv.reader(io.StringIO(text, newline="\n"), strict=True))
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return f"This is not CSV: {error}."
    return NEVER_CLOSED


def _is_utf8(cells: list[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
