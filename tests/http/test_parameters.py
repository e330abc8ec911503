"""Query strings: what they may hold, and every fault of one that is wrong."""

from typing import Any

import httpx
import msgspec
import pytest

from service.errors import Fault, Invalid, Malformed
from service.http.parameters import Parameters
from service.records.schemas import RecordParameters
from service.users.schemas import UserParameters
from tests.nouns import ASTRAL


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    number: int | msgspec.UnsetType = msgspec.UNSET
    flag: bool | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET


@pytest.mark.parametrize(
    "number", ["", "+5", "-", "--5", " 5", "5 ", "05", "-0", "5.0", "5e0", "0x5", "5_0", "٣", "²", "null", "9" * 20]
)
def test_wants_numbers_written_plainly(number: str) -> None:
    query = str(httpx.QueryParams({"number": number})).encode()
    assert refused(Parameters(Asked), query) == [
        Fault(detail=f"Expected a whole number, got {number!r}.", parameter="number")
    ]


@pytest.mark.parametrize("flag", ["", "1", "0", "True", "FALSE", "yes", "null", " true"])
def test_wants_true_or_false(flag: str) -> None:
    query = str(httpx.QueryParams({"flag": flag})).encode()
    assert refused(Parameters(Asked), query) == [
        Fault(detail=f"Expected true or false, got {flag!r}.", parameter="flag")
    ]


def test_reads_parameters() -> None:
    read = Parameters(Asked).read
    assert read(b"") == read(b"&&") == Asked()
    assert read(b"number=-5&flag=true&text=") == Asked(number=-5, flag=True, text="")
    assert read(b"number=0&text=null") == Asked(number=0, text="null")
    assert read(b"text=%F0%9D%92%9C+%2B%26") == Asked(text=f"{ASTRAL} +&")


def test_reads_the_same_of_a_further_page_as_of_any_query() -> None:
    parameters = Parameters(UserParameters)
    cursor = "a-Z_9" * 12
    firsts = ["", "limit=50", "sort=-name&limit=7", "q=a%20b", "q=a+b", "&limit=5&", "q=cursor", "role=" + "r" * 30]
    for first in firsts:
        expected = parameters.read(first.encode())
        for query in (f"{first}&cursor={cursor}", f"cursor={cursor}&{first}"):
            found = parameters.read(query.encode())
            assert found == msgspec.structs.replace(expected, cursor=cursor), query


@pytest.mark.parametrize(
    "query",
    [
        f"cursor={'a' * 40}&cursor=b",
        f"cursor=b&cursor={'a' * 40}",
        f"cursor={'a' * 3001}",
        f"limit=0&cursor={'a' * 40}",
        f"limit=1&limit=1&cursor={'a' * 40}",
        f"page=1&cursor={'a' * 40}",
        f"xcursor={'a' * 40}",
    ],
)
def test_refuses_wrong_queries_of_further_pages(query: str) -> None:
    assert len(refused(Parameters(UserParameters), query.encode())) == 1


def test_a_query_without_cursors_takes_none() -> None:
    [fault] = refused(Parameters(Asked), b"number=1&cursor=" + b"a" * 40)
    assert fault == Fault(detail="There is no such parameter.", parameter="cursor")


def test_tells_everything_that_is_wrong_with_parameters() -> None:
    query = b"limit=0&limit=5&sort=age&q=&email=x&active&page=2&page=3&external_id=%00"
    form = "The value is blank, holds a character that is not allowed, or does not match the format."
    assert refused(Parameters(UserParameters), query) == [
        Fault(detail="Expected int >= 1.", parameter="limit"),
        Fault(detail="This parameter is given more than once.", parameter="limit"),
        Fault(detail="Invalid enum value 'age'.", parameter="sort"),
        Fault(detail="Expected str of length >= 1.", parameter="q"),
        Fault(detail="Expected str of length >= 3.", parameter="email"),
        Fault(detail="Expected true or false, got ''.", parameter="active"),
        Fault(detail="There is no such parameter.", parameter="page"),
        Fault(detail="There is no such parameter.", parameter="page"),
        Fault(detail=form, parameter="external_id"),
    ]


@pytest.mark.parametrize("key", [0, -1, 2**63, 10**18 * 10])
def test_wants_keys_that_a_row_can_have(key: int) -> None:
    assert len(refused(Parameters(RecordParameters), b"owner_id=%d" % key)) == 1
    assert Parameters(RecordParameters).read(b"owner_id=%d" % (2**63 - 1)).owner_id == 2**63 - 1


@pytest.mark.parametrize("query", [b"q=%ff", b"q=%ed%a0%80", b"%ff=1", b"q=\xff", b"q=%c3"])
def test_wants_a_query_in_utf_8(query: bytes) -> None:
    with pytest.raises(Malformed, match=r"The query string is not UTF-8, percent-encoded\."):
        Parameters(UserParameters).read(query)


def test_wants_no_endless_query() -> None:
    with pytest.raises(Malformed, match=r"The query string has more than 40 parameters\."):
        Parameters(UserParameters).read(b"a=1&" * 100)


def refused(parameters: Parameters[Any], query: bytes) -> list[Fault]:
    with pytest.raises(Invalid) as refused:
        parameters.read(query)
    return list(refused.value.faults)
