import asyncio
import json

import httpx
import pytest
from httpx import Response

from tests.conftest import Make
from tests.nouns import invalid, not_found, problem, stale

JSON = {"Content-Type": "application/json"}
NUMBERS = '{"double":1.0,"huge":1e400,"long":9223372036854775809,"minus":-0,"small":1E-7}'


@pytest.fixture
async def path(make: Make) -> str:
    return f"/v1/users/{(await make('users'))['id']}/preferences"


def shown(answer: Response) -> tuple[int, str, str]:
    return answer.status_code, answer.text, answer.headers["etag"]


async def test_are_an_empty_object_until_they_are_set(client: httpx.AsyncClient, path: str) -> None:
    assert shown(await client.get(path)) == (200, "{}", '"0"')
    assert shown(await client.put(path, json={"b": 1, "a": None}, headers={"If-Match": '"0"'})) == (
        (200, '{"a":null,"b":1}', '"1"')
    )
    assert shown(await client.get(path)) == (200, '{"a":null,"b":1}', '"1"')
    assert (await client.get(path, headers={"If-None-Match": '"1"'})).status_code == 304


async def test_keep_numbers_text_and_null_as_they_were_written(client: httpx.AsyncClient, path: str) -> None:
    for version, text in enumerate(
        (NUMBERS, '{"":[null,{"x":null}],"é":"\U0001d49c\\u0000\\n","ﬁ":"e\u0301"}', '{"a":[[[[[[[1]]]]]]]}', "{}"),
        start=1,
    ):
        put = await client.put(path, content=text.encode(), headers=JSON)
        assert shown(put) == (200, text, f'"{version}"')
        assert shown(await client.get(path)) == (200, text, f'"{version}"')


async def test_a_patch_merges_and_null_removes(client: httpx.AsyncClient, path: str) -> None:
    await client.put(path, content=b'{"a":{"b":1.0,"c":null,"d":[1,2]},"e":"x"}', headers=JSON)
    patch = {"a": {"b": None, "d": [{"f": None}], "g": {"h": None, "i": 1}}, "e": {"j": {}}, "k": None}
    answer = await client.patch(path, json=patch)
    assert shown(answer) == (200, '{"a":{"c":null,"d":[{"f":null}],"g":{"i":1}},"e":{"j":{}}}', '"2"')
    assert shown(await client.patch(path, json={"k": None})) == (*shown(answer)[:2], '"2"')
    assert shown(await client.put(path, content=answer.content, headers=JSON)) == (*shown(answer)[:2], '"2"')


async def test_a_change_of_another_version_is_refused(client: httpx.AsyncClient, path: str) -> None:
    await client.put(path, json={"a": 1})
    for method in ("PUT", "PATCH"):
        answer = await client.request(method, path, json={"a": 2}, headers={"If-Match": '"0"'})
        assert problem(answer) == stale()
    assert shown(await client.get(path)) == (200, '{"a":1}', '"1"')


async def test_of_two_first_changes_none_is_lost(client: httpx.AsyncClient, path: str) -> None:
    answers = await asyncio.gather(*(client.patch(path, json={name: 1}) for name in "abcd"))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert shown(await client.get(path)) == (200, '{"a":1,"b":1,"c":1,"d":1}', '"4"')


async def test_of_a_user_who_is_not_there_are_not_there(client: httpx.AsyncClient, make: Make) -> None:
    gone = (await make("users"))["id"]
    path = f"/v1/users/{gone}/preferences"
    await client.put(path, json={"a": 1})
    await client.delete(f"/v1/users/{gone}")
    for method in ("GET", "PUT", "PATCH"):
        answer = await client.request(method, path, json=None if method == "GET" else {})
        assert problem(answer) == not_found(f"There is no user {gone}.")


TOO_DEEP = {"detail": "At most 8 levels of objects and arrays are accepted.", "pointer": "/a/0/0/0/0/0/0/0"}
REFUSED = {
    "[]": [{"detail": "A JSON object is expected here.", "pointer": ""}],
    '{"a":1,"b":{"c":1,"c~/":2,"c":3},"a":2}': [
        {"detail": "This field is given more than once.", "pointer": "/a"},
        {"detail": "This field is given more than once.", "pointer": "/b/c"},
    ],
    '{"a":[[[[[[[[]]]]]]]]}': [TOO_DEEP],
    '{"a":' + "[" * 100_000 + "]" * 100_000 + "}": [TOO_DEEP | {"pointer": ""}],
    json.dumps({"é" * 101: 1}): [{"detail": "A name has at most 100 characters.", "pointer": "/" + "é" * 101}],
    '{"a":["\\ud800"],"\\udfff":1}': [
        {"detail": "Half of a surrogate pair is no character.", "pointer": "/a/0"},
        {"detail": "Half of a surrogate pair is no character.", "pointer": "/?"},
    ],
    '{"a":"' + "x" * 16_377 + '"}': [
        {"detail": "At most 16384 bytes of JSON are accepted; these are 16385.", "pointer": ""}
    ],
}


async def test_what_is_no_such_object_is_refused_with_the_place(client: httpx.AsyncClient, path: str) -> None:
    for text, errors in REFUSED.items():
        for method in ("PUT", "PATCH"):
            answer = await client.request(method, path, content=text.encode(), headers=JSON)
            assert problem(answer) == invalid(*errors), text[:80]
    for raw in (
        b"",
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b"{'a':1}",
        b"\xef\xbb\xbf{}",
        b'{"\xff":1}',
    ):
        assert (await client.put(path, content=raw, headers=JSON)).status_code == 400, raw
    assert (await client.put(path, content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert shown(await client.get(path)) == (200, "{}", '"0"')


async def test_a_patch_does_not_make_them_longer_than_they_may_be(client: httpx.AsyncClient, path: str) -> None:
    await client.put(path, json={"a": "x" * 16_376})
    answer = await client.patch(path, json={"b": 1})
    assert problem(answer) == invalid(
        {"detail": "At most 16384 bytes of JSON are accepted; these are 16390.", "pointer": ""}
    )
