"""Splits a stream of bytes into blocks of whole, numbered lines, in constant memory."""

from collections.abc import Iterator
from typing import NamedTuple

# csv.field_size_limit is 128 KiB; two lines of this length and one piece are shorter.
LONGEST_LINE = 56 * 1024
# A piece is parsed without yielding to the event loop: milliseconds, if it holds only line feeds.
PIECE_BYTES = 8 * 1024
TOO_LONG = f"The line is longer than {LONGEST_LINE:,} bytes."

_BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Whole lines, with the number of the first; `text` is `None` for a line over `LONGEST_LINE`."""

    line: int
    text: bytes | None
    # Whether the text that was left out ends inside a quoted field.
    quoted: bool = False


class Splitter:
    """Cuts pieces of at most `PIECE_BYTES` into blocks of whole lines."""

    def __init__(self) -> None:
        self._line = 1
        self._rest = b""
        self._long = False
        self._quotes = 0

    def cut(self, piece: bytes) -> Iterator[Block]:
        """Yield the lines that are complete with this piece."""
        data = self._rest + piece
        first = data.find(b"\n") + 1
        if not first:
            self._keep(data)
            return
        if self._long or first > LONGEST_LINE:
            self._discard(data[:first])
            yield self._ended()
        else:
            first = 0
        end = data.rfind(b"\n") + 1
        if end > first:
            yield self._block(data[first:end])
        self._keep(data[end:])

    def finish(self) -> Iterator[Block]:
        """Yield the last line if no line feed ends it."""
        if self._long:
            yield self._ended()
        elif self._rest:
            yield self._block(self._rest)
            self._rest = b""

    def _keep(self, data: bytes) -> None:
        if self._long or len(data) > LONGEST_LINE:
            self._discard(data)
        else:
            self._rest = data

    def _discard(self, data: bytes) -> None:
        self._long = True
        self._rest = b""
        self._quotes += data.count(b'"')

    def _ended(self) -> Block:
        block = Block(self._line, None, quoted=self._quotes % 2 == 1)
        self._long, self._quotes = False, 0
        self._line += 1
        return block

    def _block(self, text: bytes) -> Block:
        line = self._line
        self._line += text.count(b"\n")
        return Block(line, text.removeprefix(_BOM) if line == 1 else text)
