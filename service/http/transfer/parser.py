"""Parses blocks of lines, CSV or NDJSON, into the structs of an import, with every fault of a line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, inspect

from service.db.counting import counted
from service.errors import Fault, Invalid, Malformed
from service.http.transfer.csv_block import BlockParser, whole
from service.http.transfer.csv_reader import NOT_UTF8, CsvReader, Record
from service.http.transfer.lines import MOST_TOGETHER, BadLine, Column, Found, Line
from service.http.transfer.reports import MOST_ERRORS
from service.http.transfer.spec import Import, RowMaker
from service.http.transfer.splitter import TOO_LONG, Block
from service.http.wire import MOST_FAULTS

CSV = "csv"
NDJSON = "ndjson"


class Parser(Protocol):
    """Parses blocks of one file, in their order."""

    # Fields of the file that were ignored because the service generates them.
    skipped: set[str]

    def read(self, block: Block) -> Iterator[Found]: ...

    def finish(self) -> Iterator[Found]: ...


def parser_of(declared: Import, rows: RowMaker, format: str) -> Parser:
    """Return the parser of a format, `CSV` or `NDJSON`."""
    return CsvParser(declared, rows) if format == CSV else NdjsonParser(declared, rows)


class _LineParser:
    """What the parsers of both formats share."""

    def __init__(self, declared: Import, rows: RowMaker) -> None:
        self.skipped: set[str] = set()
        self._declared = declared
        self._rows = rows
        # How many more faults the report has room for; with none left, lines are not searched for faults.
        self._room = MOST_ERRORS

    def _bad(self, line: int, faults: Sequence[Fault]) -> BadLine:
        self._room -= len(faults)
        return BadLine(line, faults)

    def _wrong(self, line: int, detail: str) -> BadLine:
        """Return a line with a fault that concerns no single field."""
        return self._bad(line, [Fault(line=line, detail=detail)]) if self._room > 0 else BadLine(line)

    def _invalid(self, line: int, failure: Invalid) -> BadLine:
        faults = [Fault(line=line, field=_field(each), detail=each.detail) for each in failure.faults]
        return self._bad(line, faults) if faults else self._wrong(line, failure.detail)

    def _checked(self, line: int, value: msgspec.Struct) -> Line | BadLine:
        check = self._declared.check
        if check is not None and (faults := check(self._declared.sent(value))):
            return self._invalid(line, Invalid("", *faults))
        if self._declared.related is None:
            return Line(line, value, self._rows.row(value))
        try:
            related = self._declared.related.read(value)
        except Invalid as failure:
            return self._invalid(line, failure)
        return Line(line, value, self._rows.row(value), related)


class NdjsonParser(_LineParser):
    """Parses one JSON object per line; blank lines are skipped."""

    def __init__(self, declared: Import, rows: RowMaker) -> None:
        super().__init__(declared, rows)
        self._unseen = set(declared.skipped)

    def read(self, block: Block) -> Iterator[Found]:
        if block.text is None:
            yield Found.one(self._wrong(block.line, TOO_LONG))
            return
        found = Found([], [])
        for line, text in enumerate(block.text.split(b"\n"), start=block.line):
            if not text or text.isspace():
                continue
            if found.add(self._parse(line, text), most=MOST_TOGETHER if self._room <= 0 else 1):
                yield found
                found = Found([], [])
        yield found

    def finish(self) -> Iterator[Found]:
        return iter(())

    def _parse(self, line: int, text: bytes) -> Line | BadLine:
        try:
            value = self._declared.body.read(text, explain=self._room > 0)
        except Malformed as failure:
            return self._wrong(line, _of_line(text, failure))
        except Invalid as failure:
            return self._invalid(line, failure)
        for name in self._unseen:
            if getattr(value, name) is not UNSET:
                self.skipped.add(name)
                self._unseen = self._unseen - {name}
        return self._checked(line, value)


def _of_line(text: bytes, failure: Malformed) -> str:
    try:
        text.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return failure.detail.replace("The body", "The line", 1)


class CsvParser(_LineParser):
    """Parses records under a header of field names; an empty cell is null, or absent if the field cannot be null."""

    def __init__(self, declared: Import, rows: RowMaker) -> None:
        super().__init__(declared, rows)
        self._records = CsvReader()
        self._columns: list[Column] | None = None
        self._block: BlockParser | None = None
        self._width = 0

    def read(self, block: Block) -> Iterator[Found]:
        """Yield the lines of a block.

        Raises:
            Invalid: the header is wrong.
        """
        plain = self._records.plain(block)
        if plain is None:
            yield from self._parsed(self._records.read(block))
            return
        first = 0
        while self._block is None and first < len(plain):
            yield from self._one(block.line + first, plain[first])
            first += 1
        for at in range(first, len(plain), MOST_TOGETHER):
            yield from self._together(block.line + at, plain[at : at + MOST_TOGETHER])

    def _together(self, first: int, records: Sequence[list[str]]) -> Iterator[Found]:
        assert self._block is not None  # noqa: S101 - there was a header
        valid = self._block.valid(first, records)
        if valid is not None:
            yield Found(valid, [])
            return
        lines = self._block.lines(first, records, explain=self._room > 0)
        if self._room <= 0 and None not in lines:
            yield _parted(lines)
            return
        for at, line in enumerate(lines):
            if line is None:
                yield from self._one(first + at, records[at])
            else:
                yield Found.one(line)

    def _one(self, line: int, cells: list[str]) -> Iterator[Found]:
        return self._parsed(iter([Record(line, cells)] if cells else ()))

    def finish(self) -> Iterator[Found]:
        yield from self._parsed(self._records.finish())
        if self._columns is None:
            raise _bad_header([Fault(line=1, detail="The file is empty; its first line has to name the columns.")])

    def _parsed(self, records: Iterator[Record]) -> Iterator[Found]:
        for line, cells, fault in records:
            if self._columns is None:
                self._columns = self._header(line, cells, fault)
            elif fault is not None:
                yield Found.one(self._wrong(line, fault))
            elif len(cells) != self._width:
                cells_of_header = counted(self._width, "cell")
                wrong = self._wrong(line, f"Expected {cells_of_header}, as in the header, got {len(cells)}.")
                yield Found.one(wrong)
            else:
                yield Found.one(self._parse(line, cells, self._columns))

    def _header(self, line: int, cells: list[str], fault: str | None) -> list[Column]:
        if fault is not None:
            raise _bad_header([Fault(line=line, detail=fault)])
        fields = {each.name: each for each in msgspec.structs.fields(self._declared.line)}
        faults = []
        for at, name in enumerate(cells):
            if name not in fields:
                faults.append(Fault(line=line, field=name, detail="There is no such field."))
            elif name in cells[:at]:
                faults.append(Fault(line=line, field=name, detail="This column is named more than once."))
        faults += [
            Fault(line=line, field=name, detail="This column is required.")
            for name, each in fields.items()
            if each.required and name not in cells
        ]
        if faults:
            raise _bad_header(faults)
        self._width = len(cells)
        self.skipped = {name for name in cells if name in self._declared.skipped}
        columns = [
            Column(at, name, *_reader(fields[name].type)) for at, name in enumerate(cells) if name not in self.skipped
        ]
        self._block = BlockParser(self._declared, self._rows, columns, self._width)
        return columns

    def _parse(self, line: int, cells: list[str], columns: list[Column]) -> Line | BadLine:
        found: dict[str, Any] = {}
        try:
            for at, name, read, nullable in columns:
                if cell := cells[at]:
                    found[name] = cell if read is None else read(cell)
                elif nullable:
                    found[name] = None
            value = self._declared.body.convert(found, explain=self._room > 0)
        except ValueError:
            return self._bad(line, self._faults(line, cells, columns) if self._room > 0 else [])
        except Invalid as failure:
            return self._invalid(line, failure)
        return self._checked(line, value)

    def _faults(self, line: int, cells: list[str], columns: list[Column]) -> list[Fault]:
        """Return all faults of a record that has invalid cells."""
        found: dict[str, Any] = {}
        unread: dict[str, str] = {}
        for at, name, read, nullable in columns:
            if cell := cells[at]:
                found[name] = cell
                try:
                    found[name] = cell if read is None else read(cell)
                except ValueError as error:
                    unread[name] = f"{error}."
            elif nullable:
                found[name] = None
        others = [
            Fault(line=line, field=_field(each), detail=each.detail)
            for each in islice(self._declared.body.faults(found), MOST_FAULTS)
            if _field(each) not in unread
        ]
        return others + [Fault(line=line, field=name, detail=detail) for name, detail in unread.items()]


def _parted(lines: Sequence[Line | BadLine | None]) -> Found:
    valid = [line for line in lines if type(line) is Line]
    return Found(valid, [line for line in lines if type(line) is BadLine])


def _bad_header(faults: list[Fault]) -> Invalid:
    return Invalid("The header is wrong; nothing was stored.", *faults)


def _reader(kind: Any) -> tuple[Callable[[str], Any] | None, bool]:
    """Return the function that parses a cell of this type, `None` for text, and whether the type allows null."""
    described = inspect.type_info(kind)
    kinds = [_plain(each) for each in (described.types if isinstance(described, inspect.UnionType) else [described])]
    reader = next((_READERS[type(each)] for each in kinds if type(each) in _READERS), None)
    return reader, any(isinstance(each, inspect.NoneType) for each in kinds)


def _plain(described: inspect.Type) -> inspect.Type:
    return described.type if isinstance(described, inspect.Metadata) else described


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"Expected true or false, got {text!r}")
    return text == "true"


def _list(text: str) -> Any:
    """A JSON list, or texts separated by semicolons, which are easier to type."""
    if not text.startswith("["):
        return text.split(";")
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("What begins with [ has to be a JSON list") from None


_READERS: dict[type[inspect.Type], Callable[[str], Any]] = {
    inspect.IntType: whole,
    inspect.BoolType: _boolean,
    inspect.ListType: _list,
    inspect.RawType: lambda text: msgspec.Raw(text.encode()),
}


def _field(fault: Fault) -> str | None:
    pointer = (fault.pointer or "").removeprefix("/")
    return pointer.replace("~1", "/").replace("~0", "~") or None


def faults_of(line: Line, faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults with the number of the line and the names of its fields."""
    return [Fault(line=line.number, field=each.field or _field(each), detail=each.detail) for each in faults]
