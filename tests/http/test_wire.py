import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Fault, Invalid, Malformed
from service.http.wire import Body, _has_twins, _named_twice, sent
from service.records.schemas import RecordCreate, RecordUpdate
from service.users.schemas import UserCreate, UserUpdate
from tests.conftest import Make
from tests.examples import a_few, any_load
from tests.nouns import MOMENT

USER = Body(UserCreate)
RECORD = Body(RecordCreate)


def faults(body: Body[Any], raw: str | bytes) -> list[Fault]:
    with pytest.raises(Invalid, match=r"The request is not valid; see errors\.") as refused:
        body.read(raw.encode() if isinstance(raw, str) else raw)
    return list(refused.value.faults)


def test_tells_everything_that_is_wrong_with_a_body() -> None:
    wrong = {"name": 1, "email": "no address", "age": "3", "active": None, "zip": 1, "a/b~c": 2}
    assert faults(USER, json.dumps(wrong)) == [
        Fault(detail="There is no such field.", pointer="/zip"),
        Fault(detail="There is no such field.", pointer="/a~1b~0c"),
        Fault(detail="Expected str, got int.", pointer="/name"),
        Fault(
            detail="The value is blank, holds a character that is not allowed, or does not match the format.",
            pointer="/email",
        ),
        Fault(detail="Expected int | null, got str.", pointer="/age"),
        Fault(detail="Expected bool, got null.", pointer="/active"),
    ]


def test_points_at_every_wrong_element_of_a_list() -> None:
    assert faults(RECORD, '{"title": "a", "tags": ["ok", 1, "", "ok", null]}') == [
        Fault(detail="Expected str, got int.", pointer="/tags/1"),
        Fault(detail="Expected str of length >= 1.", pointer="/tags/2"),
        Fault(detail="Expected str, got null.", pointer="/tags/4"),
    ]


def test_tells_that_a_list_is_too_long_beside_what_is_wrong_in_it() -> None:
    assert faults(RECORD, json.dumps({"title": "a", "tags": ["a"] * 20 + [""]})) == [
        Fault(detail="Expected array of length <= 20.", pointer="/tags"),
        Fault(detail="Expected str of length >= 1.", pointer="/tags/20"),
    ]


def test_tells_no_more_faults_than_anyone_would_read() -> None:
    assert len(faults(RECORD, json.dumps({"title": "a", "tags": [1] * 10_000}))) == 100
    assert len(faults(USER, json.dumps(dict.fromkeys(map(str, range(10_000)))))) == 100


@pytest.mark.parametrize("raw", ["[]", '["name"]', '"name"', "3", "null", "true", "[[{}]]"])
def test_wants_an_object(raw: str) -> None:
    assert faults(USER, raw) == [Fault(detail="A JSON object is expected here.", pointer="")]


@pytest.mark.parametrize("twin", ['"age":1,"age":1', '"age":1,"\\u0061ge":2', '"age":1 , "name":"b","age":null'])
def test_refuses_a_field_given_twice(twin: str) -> None:
    twice = faults(USER, f'{{"name":"a","email":"a@b",{twin}}}')
    assert Fault(detail="This field is given more than once.", pointer="/age") in twice


def test_tells_of_twins_beside_other_faults() -> None:
    assert faults(USER, '{"name":"a","email":"a@b","x":1,"x":2,"age":-1}') == [
        Fault(detail="This field is given more than once.", pointer="/x"),
        Fault(detail="There is no such field.", pointer="/x"),
        Fault(detail="Expected int >= 0.", pointer="/age"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "1" * 5000,
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        r'"\ud800"',
        r'"\udc00"',
        r'"\q"',
    ],
)
def test_refuses_values_that_json_cannot_hold(value: str) -> None:
    with pytest.raises(Malformed, match=r"The body is not JSON: .*\."):
        USER.read(f'{{"name":"a","email":"a@b","age":{value}}}'.encode())


@pytest.mark.parametrize(
    "raw",
    [
        *(b"{", b"", b" ", b"{'name': 1}", b"{}x", b"{},", b'{"name":"a",}', b"\x00", "{}".encode("utf-16")),
        *(b"\xef\xbb\xbf{}", b"\xff", b'{"name":"\xff"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"a\nb"}'),
    ],
)
def test_refuses_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(Malformed, match=r"The body is not JSON: .*\."):
        USER.read(raw)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":' * 100_000, b'{"name":' + b"[" * 50_000 + b"]" * 50_000 + b"}"]
)
def test_refuses_deep_nesting(raw: bytes) -> None:
    with pytest.raises(Malformed, match=r"The body is nested too deeply\."):
        USER.read(raw)


def test_takes_every_spelling_of_a_whole_number() -> None:
    assert [USER.read(f'{{"name":"a","email":"a@b","age":{age}}}'.encode()).age for age in ("3.0", "1e2", "-0")] == [
        3,
        100,
        0,
    ]


def test_brings_times_to_utc() -> None:
    record = RECORD.read(b'{"title":"a","date_created":"2023-01-01T01:00:00.5+02:00"}')
    converted = RECORD.convert({"title": "a", "date_created": "2023-01-01T01:00:00.5+02:00"})
    assert record == converted
    assert isinstance(record.date_created, datetime)
    assert record.date_created.isoformat() == "2022-12-31T23:00:00.500000+00:00"
    assert record.date_created.tzinfo is UTC


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"])
def test_refuses_times_that_a_database_cannot_hold(moment: str) -> None:
    fault = Fault(detail="Expected a time from 0001-01-02 to 9999-12-30, in UTC.", pointer="/date_created")
    assert faults(RECORD, json.dumps({"title": "a", "date_created": moment})) == [fault]
    assert faults(RECORD, json.dumps({"title": "", "date_created": moment}))[1:] == [fault]


def test_tells_null_from_absent_in_a_merge_patch() -> None:
    assert sent(Body(UserUpdate).read(b'{"age":null,"name":"b"}')) == {"name": "b", "age": None}
    assert sent(Body(RecordUpdate).read(b"{}")) == {}


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=100)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("Zoe") | texts.map(lambda text: f"{text[:49]}Z"),
        "age": st.none() | st.integers(0, 150),
        "address": st.none() | texts,
        "active": st.booleans(),
        "external_id": st.none() | st.sampled_from(["a", "b"]),
    },
)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2, word by word, but that an absent field of a resource is shown as null."""
    for name, value in patch.items():
        target[name] = value
    return target


@a_few
@given(patches=st.lists(PATCHES, min_size=1, max_size=4))
async def test_a_patch_does_what_rfc_7396_says(
    client: httpx.AsyncClient, make: Make, patches: list[dict[str, Any]]
) -> None:
    expected = await make("users")
    path = f"/v1/users/{expected['id']}"
    for patch in patches:
        before = dict(expected)
        if merge_patch(expected, patch) != before:
            expected |= {"version": expected["version"] + 1, "updated_at": MOMENT}
        answer = await client.patch(path, json=patch)
        assert (answer.status_code, answer.json()) == (200, expected)
    assert (await client.get(path)).json() == expected
    await client.delete(path)


async def test_odd_texts_and_times_in_a_query_break_no_list(client: httpx.AsyncClient, make: Make) -> None:
    await make("users")
    described = (await client.get("/openapi.json")).json()
    shared = described["components"].get("parameters", {})
    answers = []
    for path, operations in described["paths"].items():
        known = [*operations.get("parameters", []), *operations.get("get", {}).get("parameters", [])]
        named = [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in known]
        place = path.replace("{user_id}", "1")
        for name in (each["name"] for each in named if "get" in operations and each["in"] == "query"):
            for text in ("\0", "a\0b", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
                answer = await client.get(place, params={name: text})
                answers.append((place, name, text, answer.status_code))
    assert [each for each in answers if each[-1] >= 500] == []
    assert len(answers) > 200


@any_load
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", 'd":', "e :"]), st.sampled_from(['":', " :", "x", "a:b", '\\"'])),
        max_size=4,
    ),
    st.sampled_from([":", " :", "\n:", "\t: ", "\r:"]),
    st.sampled_from(["", " ", "\n\t"]),
)
def test_finds_every_name_that_is_given_twice(members: list[tuple[str, str]], colon: str, space: str) -> None:
    texts = (f"{json.dumps(name)}{colon}{json.dumps(value)}" for name, value in members)
    names = [name for name, _ in members]
    raw = f"{space}{{{space}{','.join(texts)}}}{space}".encode()
    assert _has_twins(raw) == (len(set(names)) < len(names)) == bool(_named_twice(raw))


def test_finds_twins_beside_objects_and_other_spellings() -> None:
    assert not _has_twins(b'{"a":{"b":1,"b":2},"c":[{"c":1}]}')
    assert _has_twins(b'{"a":{"b":1},"a":[]}')
    assert _has_twins(rb'{"\u0061":1,"a":2}')
