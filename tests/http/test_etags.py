import asyncio
from typing import Any

import httpx
import pytest

from service.errors import Malformed, Stale
from service.http.etags import Conditions, etag, is_known
from tests.conftest import Make
from tests.nouns import malformed, problem, stale

NO_TAGS = [
    "",
    " ",
    "1",
    "'1'",
    '"1',
    '1"',
    '"1""2"',
    ",",
    '"1" "2"',
    '"1", x',
    '"1",\v"2"',
    "*, ",
    'w/"1"',
    "W/1",
    '"a b"',
    '"\t"',
    '*, "1"',
]
# Members of a list may be empty, and white space may stand around them (RFC 9110, 5.6.1.2).
LISTS = ['"2",', ',"2"', '"2" ,', ', ,"1" ,\t, "2"\t,', '\t"2"\t', '"1",,"2"', ',\t"2"', '"2","2"']


def scope(**headers: str) -> dict[str, Any]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


@pytest.mark.parametrize(
    "written", ['"2"', '"1", "2"', '"1","2" , "3"', "*", ' "2" ', '"2.0123abcd"', '"1", "2.0123abcd"', *LISTS]
)
def test_if_match_names_the_version(written: str) -> None:
    Conditions(scope(if_match=written)).match(2)


@pytest.mark.parametrize("written", ['"1"', 'W/"2"', 'W/"2", "3"', '""', '"2.0123ABCD"', '"2.garbage"', '"02"', '"*"'])
def test_if_match_names_another_version(written: str) -> None:
    with pytest.raises(Stale, match=r"The resource was changed since this version; read it again\."):
        Conditions(scope(if_match=written)).match(2)


def test_if_match_can_speak_of_the_whole_document() -> None:
    shown = etag(2, b"shown")
    Conditions(scope(if_match=shown)).match(2, b"shown")
    with pytest.raises(Stale):
        Conditions(scope(if_match=shown)).match(2, b"other")
    with pytest.raises(Stale):
        Conditions(scope(if_match='"2"')).match(2, b"shown")


@pytest.mark.parametrize("written", ['"2"', 'W/"2"', '"1", "2"', "*", '"2.0123abcd"'])
def test_if_none_match_excludes_the_version(written: str) -> None:
    Conditions(scope(if_none_match=written)).match_absent()
    Conditions(scope(if_none_match='"1"')).match(2)
    with pytest.raises(Stale, match=r"The resource exists, and If-None-Match requires that it does not\."):
        Conditions(scope(if_none_match=written)).match(2)


@pytest.mark.parametrize("written", ['"1"', "*"])
def test_if_match_wants_something_to_be_there(written: str) -> None:
    with pytest.raises(Stale, match=r"The resource does not exist, so If-Match cannot match\."):
        Conditions(scope(if_match=written)).match_absent()


@pytest.mark.parametrize("written", ['"2"', 'W/"2"', '"1", W/"2"', "*", 'W/"2" ,', *LISTS])
def test_a_caller_knows_what_it_has(written: str) -> None:
    assert is_known(scope(if_none_match=written), '"2"')
    assert not is_known(scope(if_none_match=written), '"3"') or written == "*"
    assert not is_known(scope(), '"2"')


@pytest.mark.parametrize("written", NO_TAGS)
def test_refuses_what_is_no_entity_tag(written: str) -> None:
    with pytest.raises(Malformed, match="If-Match holds"):
        Conditions(scope(if_match=written))
    with pytest.raises(Malformed, match="If-None-Match holds"):
        is_known(scope(if_none_match=written), '"1"')


def test_headers_of_one_name_are_one_list() -> None:
    twice = {"headers": [(b"if-match", b'"1"'), (b"if-match", b'"2"')]}
    Conditions(twice).match(2)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_stale_copy_changes_nothing(client: httpx.AsyncClient, make: Make, method: str) -> None:
    user = await make("users")
    path = f"/v1/users/{user['id']}"
    for header, detail in (
        ({"if-match": '"2"'}, "The resource was changed since this version; read it again."),
        ({"if-none-match": '"1"'}, "The resource exists, and If-None-Match requires that it does not."),
    ):
        answer = await client.request(method, path, json={"age": 1} if method == "PATCH" else None, headers=header)
        assert problem(answer) == stale(detail)
    assert (await client.get(path)).json() == user


async def test_of_two_who_change_the_same_copy_one_is_told(client: httpx.AsyncClient, make: Make) -> None:
    path = f"/v1/users/{(await make('users'))['id']}"
    answers = await asyncio.gather(
        *(client.patch(path, json={"age": age}, headers={"if-match": '"1"'}) for age in range(5))
    )
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412, 412]
    winner = next(each for each in answers if each.status_code == 200)
    assert (await client.get(path)).json() == winner.json()


async def test_each_change_has_the_next_tag(client: httpx.AsyncClient, make: Make) -> None:
    path = f"/v1/users/{(await make('users'))['id']}"
    tag = '"1"'
    for age in range(3):
        tag = (await client.patch(path, json={"age": age}, headers={"if-match": tag})).headers["etag"]
    assert tag == '"4"'
    assert (await client.delete(path, headers={"if-match": f'"3", {tag}'})).status_code == 204


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("known", "status"), [('"1"', 304), ('W/"1"', 304), ('"7", "1"', 304), ("*", 304), ('"2"', 200)]
)
async def test_what_the_caller_knows_is_not_sent_again(
    client: httpx.AsyncClient, make: Make, method: str, known: str, status: int
) -> None:
    user = await make("users")
    answer = await client.request(method, f"/v1/users/{user['id']}", headers={"if-none-match": known})
    assert (answer.status_code, answer.headers["etag"]) == (status, '"1"')
    if status == 304:
        assert answer.content == b""
        assert {"content-type", "content-length"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("wanted", "status"),
    [('"1"', 200), ("*", 200), ('"7", "1"', 200), ('"2"', 412), ('W/"1"', 412), ('"1" ,', 200), ('"7",', 412)],
)
async def test_a_reader_can_ask_for_one_version(
    client: httpx.AsyncClient, make: Make, method: str, wanted: str, status: int
) -> None:
    path = f"/v1/users/{(await make('users'))['id']}"
    assert (await client.request(method, path, headers={"if-match": wanted})).status_code == status
    # If-Match comes first (RFC 9110, 13.2.2).
    both = await client.request(method, path, headers={"if-match": wanted, "if-none-match": '"1"'})
    assert both.status_code == (304 if status == 200 else 412)
    assert (await client.request(method, "/v1/users/999999", headers={"if-match": wanted})).status_code == 404


async def test_a_list_has_no_version_to_ask_for(client: httpx.AsyncClient, make: Make) -> None:
    await make("users")
    statuses = {each: (await client.get("/v1/users", headers={"if-match": each})).status_code for each in ("*", '"1"')}
    assert statuses == {"*": 200, '"1"': 412}


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_documents_of_the_service_have_versions_too(client: httpx.AsyncClient, path: str) -> None:
    tag = (await client.get(path)).headers["etag"]
    statuses = [(await client.get(path, headers={"if-match": each})).status_code for each in (tag, "*", '"1"')]
    assert statuses == [200, 200, 412]


async def test_conditions_are_read_before_anything_is_done(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    path = f"/v1/users/{user['id']}"
    sentence = 'holds \'1\'; entity tags are written as "1", W/"1" or *.'
    assert problem(await client.delete(path, headers={"if-match": "1"})) == malformed(f"If-Match {sentence}")
    assert problem(await client.get(path, headers={"if-none-match": "1"})) == malformed(f"If-None-Match {sentence}")
    assert (await client.get(path)).json() == user
