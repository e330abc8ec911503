"""Rules that apply to every request, also to a refused one."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from litestar.types import Message
from structlog.testing import capture_logs

from service.http.edge import Edge
from tests.conftest import Make
from tests.nouns import NOUNS, not_found, problem

ONE = "DELETE, GET, HEAD, OPTIONS, PATCH"
LINK = "DELETE, GET, HEAD, OPTIONS, PUT"
ALLOWED = {
    **{f"/v1/{noun}": "GET, HEAD, OPTIONS, POST" for noun in NOUNS},
    **{f"/v1/{noun}/1": ONE for noun in NOUNS},
    "/v1/departments/1/employees": "GET, HEAD, OPTIONS",
    "/v1/employees/1/departments": "GET, HEAD, OPTIONS",
    "/v1/departments/1/employees/1": LINK,
    "/v1/employees/1/departments/1": LINK,
    "/livez": "GET, HEAD, OPTIONS",
}
NOWHERE = ["/", "/v1", "/v2/users", "/V1/users", "/v1/user", "/v1/users/1/x", "/%00", "/%ff", "/v1/users/a%2Fb"]


@pytest.mark.parametrize(("path", "allow"), ALLOWED.items())
async def test_says_which_methods_an_address_has(client: httpx.AsyncClient, path: str, allow: str) -> None:
    options = await client.options(path)
    assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", allow)
    for method in {"PUT", "PATCH", "POST", "DELETE", "TRACE", "BREW"} - set(allow.split(", ")):
        answer = await client.request(method, path)
        assert answer.headers["allow"] == allow
        assert problem(answer) == {
            "type": "urn:roster:problem:method-not-allowed",
            "title": "Method Not Allowed",
            "status": 405,
            "detail": "This method is not served at this address; see Allow.",
        }


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "BREW"])
async def test_unknown_addresses_are_problems_too(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert problem(await client.request(method, path)) == not_found()


async def test_head_is_get_without_the_body(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    for path in ("/v1/users", f"/v1/users/{user['id']}", "/v1/users/0", "/v1/users?limit=0", "/nowhere", "/livez"):
        get, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert {**head.headers, "x-request-id": ""} == {**get.headers, "x-request-id": ""}
        assert int(head.headers["content-length"]) == len(get.content)


@pytest.mark.parametrize("given", ["a", "0" * 100, "A-b_c.9"])
@pytest.mark.parametrize("path", ["/v1/users", "/nowhere"])
async def test_keeps_the_callers_request_id(client: httpx.AsyncClient, path: str, given: str) -> None:
    assert (await client.get(path, headers={"x-request-id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, b"", b" ", b"a" * 101, b"a b", b"a\xff", b'"a"', b"a,b"])
async def test_makes_a_request_id_where_there_is_none(client: httpx.AsyncClient, given: bytes | None) -> None:
    headers = {} if given is None else {b"x-request-id": given}
    made = [(await client.get("/nowhere", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)


async def test_a_bad_host_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/users", headers={"host": "exa mple:port"})
    assert problem(answer)["status"] == 400


async def test_every_request_is_logged_once(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        await client.get("/v1/users?q=secret", headers={"x-request-id": "a"})
        await client.head("/nowhere", headers={"x-request-id": "b"})
        await client.get("/livez")
    assert [{**each, "milliseconds": 0} for each in logs] == [
        logged("GET", "/v1/users", status=200, request_id="a"),
        logged("HEAD", "/nowhere", status=404, request_id="b"),
    ]


def logged(method: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"event": "request", "log_level": "info", "method": method, "path": path, "milliseconds": 0, **fields}


class Observed:
    """An edge around an application, what was observed, and what was sent."""

    def __init__(self, app: Any) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self.sent: list[Any] = []
        self.noted: list[tuple[str, str, int]] = []
        self.edge = Edge(
            app,
            lambda method, route, status, _: self.seen.append((method, route, status)),
            lambda _, method, path, status, *__: self.noted.append((method, path, status)),
            {},
        )

    async def ask(self, method: str = "GET", **scope: Any) -> None:
        whole = {"type": "http", "method": method, "path": "/here", "headers": [(b"host", b"localhost")], **scope}
        await self.edge(whole, self.receive, self.send)

    async def receive(self) -> Any:
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def answer_in_parts(scope: Any, _receive: Any, send: Any) -> None:
    scope["path_template"] = "/{here}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"a", b"b", b""):
        await send({"type": "http.response.body", "body": part, "more_body": bool(part)})


async def test_a_head_request_is_observed_as_such_and_gets_no_part_of_a_body() -> None:
    observed = Observed(answer_in_parts)
    await observed.ask("HEAD")
    assert observed.seen == [("HEAD", "/{here}", 200)]
    assert [each.get("body", b"") for each in observed.sent] == [b"", b"", b"", b""]


async def test_a_failure_is_answered_and_observed() -> None:
    async def fail(*_: Any) -> None:
        raise ZeroDivisionError

    observed = Observed(fail)
    with capture_logs() as logs:
        await observed.ask()
    assert observed.seen == [("GET", "", 500)]
    assert observed.sent[0]["status"] == 500
    assert [each["event"] for each in logs] == ["request failed"]
    assert observed.noted == [("GET", "/here", 500)]


async def test_a_failure_amid_an_answer_breaks_it_off() -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    observed = Observed(fail)
    with pytest.raises(ZeroDivisionError):
        await observed.ask()
    assert (observed.seen, len(observed.sent)) == ([("GET", "", 200)], 1)


async def test_a_caller_who_went_away_is_observed() -> None:
    async def wait_for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    observed = Observed(wait_for_ever)
    asking = asyncio.create_task(observed.ask())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (observed.seen, observed.sent) == ([("GET", "", 0)], [])


async def test_other_protocols_pass() -> None:
    seen = []

    async def take(scope: Any, *_: Any) -> None:
        seen.append(scope["type"])

    observed = Observed(take)
    await observed.ask(type="lifespan")
    assert (seen, observed.seen) == (["lifespan"], [])
