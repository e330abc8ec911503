"""CSV read in pieces of any size, held against Python's reader of the whole."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.transfer import csv_reader
from service.http.transfer.csv_reader import NEVER_CLOSED, UNCLOSED
from service.http.transfer.exports import write_csv
from service.http.transfer.splitter import PIECE_BYTES, TOO_LONG, Splitter
from tests.examples import any_load

CELLS = st.text(alphabet=st.sampled_from('ab"\n\r,; é\u2028\U0001d49c'), max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=8)
PIECES = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def read(content: bytes, sizes: list[int]) -> list[csv_reader.Record]:
    """All records of a file that comes in pieces of these sizes, over and over."""
    lines, records = Splitter(), csv_reader.CsvReader()
    found: list[csv_reader.Record] = []
    at = turn = 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        for block in lines.cut(content[at : at + size]):
            found += records.read(block)
        at, turn = at + size, turn + 1
    for block in lines.finish():
        found += records.read(block)
    return [*found, *records.finish()]


@any_load
@given(ROWS, PIECES)
def test_reads_back_what_it_wrote_and_counts_the_lines(rows: list[list[str]], sizes: list[int]) -> None:
    content = write_csv(rows)
    line = 1
    expected = []
    for row in rows:
        expected.append(csv_reader.Record(line, row))
        line += write_csv([row]).count(b"\n")
    assert read(content, sizes) == expected


@any_load
@given(st.text(alphabet=st.sampled_from('ab"\n,'), max_size=40), PIECES)
def test_pieces_make_no_difference(text: str, sizes: list[int]) -> None:
    assert read(text.encode(), sizes) == read(text.encode(), [len(text.encode()) or 1])


@any_load
@given(st.text(alphabet=st.sampled_from("ab\n, "), max_size=40), PIECES)
def test_reads_plain_text_as_python_does(text: str, sizes: list[int]) -> None:
    rows = [row for row in csv.reader(io.StringIO(text, newline="\n"), strict=True) if row]
    assert [each.cells for each in read(text.encode(), sizes)] == rows


LONG = b"x" * 80_000
DEEP = b"\n" * 80_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"1," + LONG + b"\n2,3\n", [(1, TOO_LONG), (2, None)]),
        (b'1,"' + LONG + b'"\n2,3\n', [(1, TOO_LONG), (2, None)]),
        (b'1,"a\n' + LONG + b'"\n2,3\n', [(1, TOO_LONG), (3, None)]),
        (b'1,"' + LONG + b'\n\n",4\n2,3\n', [(1, TOO_LONG), (4, None)]),
        (b'1,"' + DEEP + b'",4\n2,3\n', [(1, UNCLOSED), (80_002, None)]),
        (b'1,"' + DEEP + LONG + b'\n",4\n2,3\n', [(1, UNCLOSED), (80_003, None)]),
        (b'1,"' + DEEP, [(1, UNCLOSED)]),
        (b"1," + LONG, [(1, TOO_LONG)]),
        (b'1,"a\nb', [(1, NEVER_CLOSED)]),
        (b'1,"a"b', [(1, "This is not CSV: ',' expected after '\"'.")]),
    ],
)
def test_goes_on_behind_what_is_too_long(content: bytes, expected: list[tuple[int, str | None]]) -> None:
    for size in (PIECE_BYTES, 1000, 777):
        assert [(each.line, each.fault) for each in read(content, [size])] == expected
