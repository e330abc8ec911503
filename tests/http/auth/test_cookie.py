"""The cookie of a session: sent by a browser of its own accord, so only pages of the service itself may use it."""

import httpx
import pytest

from service.app import Roster
from service.http.auth.cookies import COOKIE
from service.http.auth.token_text import new_token
from tests.callers import Caller, add_caller

OWN = "http://roster.localhost"


@pytest.fixture
async def session(roster: Roster) -> Caller:
    return await add_caller(roster, "admin", kind="session")


def cookie(session: Caller, **headers: str) -> dict[str, str]:
    return {"cookie": f"a=b; {COOKIE}={session.token}; c=d"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }


async def test_a_page_reads_with_the_cookie(client: httpx.AsyncClient, session: Caller) -> None:
    for headers in ({}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": OWN}):
        assert (await client.get("/v1/users", headers=cookie(session, **headers))).status_code == 200
    for headers in ({"sec_fetch_site": "same-site"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
        refused = await client.get("/v1/users", headers=cookie(session, **headers))
        assert (refused.status_code, "another origin" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "same-origin"}, 201),
        ({"origin": OWN}, 201),
        ({"origin": f"{OWN}:80"}, 201),
        # TLS may have ended in front: then the page's scheme is not this connection's.
        ({"origin": "https://roster.localhost", "host": "roster.localhost"}, 201),
        ({}, 403),
        ({"sec_fetch_site": "same-site", "origin": OWN}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": f"{OWN}:8001"}, 403),
        ({"origin": f"{OWN}.evil.example"}, 403),
        ({"origin": "http://evil.example@roster.localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "file://"}, 403),
    ],
)
async def test_a_page_of_another_origin_changes_nothing(
    client: httpx.AsyncClient, session: Caller, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/v1/records", json={"title": "a"}, headers=cookie(session, **headers))
    assert answer.status_code == status
    listed = await client.get("/v1/records", headers=session.headers)
    assert len(listed.json()["items"]) == (status == 201)


async def test_programs_send_no_origin(client: httpx.AsyncClient, session: Caller) -> None:
    for headers in ({}, {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}):
        made = await client.post("/v1/records", json={"title": "a"}, headers=session.headers | headers)
        assert made.status_code == 201


async def test_without_tokens_a_page_of_another_origin_changes_nothing_either(client: httpx.AsyncClient) -> None:
    for headers, status in (
        ({}, 201),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
    ):
        assert (await client.post("/v1/records", json={"title": "a"}, headers=headers)).status_code == status
        assert (await client.get("/v1/records", headers=headers)).status_code == 200


async def test_the_authorization_header_goes_before_the_cookie(
    client: httpx.AsyncClient, roster: Roster, session: Caller
) -> None:
    viewer = await add_caller(roster, "viewer")
    both = cookie(session, sec_fetch_site="same-origin") | viewer.headers
    assert (await client.post("/v1/records", json={"title": "a"}, headers=both)).status_code == 403


async def test_two_cookies_or_a_stale_one_are_no_session(client: httpx.AsyncClient, session: Caller) -> None:
    twice = {"cookie": f"{COOKIE}={session.token}; {COOKIE}={session.token}"}
    stale = {"cookie": f"{COOKIE}={new_token()}"}
    for headers in (twice, stale, {"cookie": f"x{COOKIE}={session.token}"}):
        assert (await client.get("/v1/users", headers=headers)).status_code == 401


async def test_a_stale_cookie_keeps_nobody_out_of_an_open_service(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/users", headers={"cookie": f"{COOKIE}={new_token()}"})).status_code == 200
