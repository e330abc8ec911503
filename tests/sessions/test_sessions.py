import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.app import Roster
from service.models import Login, Token
from tests.conftest import Make
from tests.nouns import MOMENT, invalid, problem

PASSWORD = "correct horse battery"
ANN = "ann@example.org"


def at(roster: Roster, address: str = "203.0.113.9", **headers: str) -> httpx.AsyncClient:
    """A caller at this address."""
    transport = httpx.ASGITransport(app=roster, client=(address, 40_000), raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://roster.localhost", headers=headers)


@pytest.fixture
async def ann(make: Make, client: httpx.AsyncClient) -> dict[str, Any]:
    """A user with a password."""
    user = await make("users", email=ANN)
    answer = await client.put(f"/v1/users/{user['id']}/password", json={"new_password": PASSWORD})
    assert answer.status_code == 204, answer.text
    return user


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, email: str = ANN, **more: Any) -> httpx.Response:
    return await client.post("/v1/sessions", json={"email": email, "password": password, **more})


async def outcomes(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    answer = await client.get("/v1/logins", params=parameters)
    assert answer.status_code == 200, answer.text
    return [each["outcome"] for each in answer.json()["items"]]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_login_answers_a_token_that_acts_as_the_user(client: httpx.AsyncClient, ann: dict[str, Any]) -> None:
    answer = await log_in(client, email="ANN@Example.org")
    assert answer.status_code == 201
    session = answer.json()
    token = session.pop("token")
    assert session == {"token_id": session["token_id"], "user_id": ann["id"], "expires_at": MOMENT}
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    changed = await client.put(
        "/v1/me/password",
        headers=bearer(token),
        json={"current_password": PASSWORD, "new_password": "another horse battery"},
    )
    assert changed.status_code == 204, changed.text
    assert (await client.get("/v1/version", headers=bearer(token))).status_code != 401


async def test_logging_out_ends_the_session(client: httpx.AsyncClient, ann: dict[str, Any]) -> None:
    token = (await log_in(client)).json()["token"]
    assert (await client.delete("/v1/sessions/current", headers=bearer(token))).status_code == 204
    again = await client.delete("/v1/sessions/current", headers=bearer(token))
    assert (again.status_code, again.json()["detail"]) == (401, "The token was revoked.")
    assert (await client.delete("/v1/sessions/current")).status_code == 404


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"origin": "http://roster.localhost"}, False),
        ({"origin": "https://roster.localhost"}, True),
        ({"x-forwarded-proto": "https"}, True),
        ({"forwarded": 'for=1.2.3.4; proto="https"'}, True),
    ],
)
async def test_a_page_gets_a_cookie_that_no_script_reads(
    client: httpx.AsyncClient, ann: dict[str, Any], headers: dict[str, str], secure: bool
) -> None:
    answer = await client.post(
        "/v1/sessions", headers=headers, json={"email": ANN, "password": PASSWORD, "cookie": True}
    )
    assert answer.json()["token"] is None
    pair, *attributes = answer.headers["set-cookie"].split("; ")
    assert pair.startswith("roster_session=roster_")
    expected = ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])]
    assert attributes == expected
    client.cookies.clear()
    page = {"cookie": pair, "sec-fetch-site": "same-origin"}
    ended = await client.delete("/v1/sessions/current", headers=page)
    assert ended.status_code == 204
    assert ended.headers["set-cookie"].startswith("roster_session=; Path=/; Max-Age=0;")
    client.cookies.clear()


async def test_every_wrong_login_gets_one_answer(
    client: httpx.AsyncClient, ann: dict[str, Any], make: Make, roster: Roster
) -> None:
    await make("users", email="bare@example.org")
    gone = await make("users", email="gone@example.org")
    await client.put(f"/v1/users/{gone['id']}/password", json={"new_password": PASSWORD})
    await client.patch(f"/v1/users/{gone['id']}", json={"active": False})
    answers = [
        await log_in(client, "wrong horse battery"),
        await log_in(client, PASSWORD + " "),
        await log_in(client, email="nobody@example.org"),
        await log_in(client, email="bare@example.org"),
        await log_in(client, email="gone@example.org"),
    ]
    documents = {str(problem(each)) for each in answers}
    assert len(documents) == 1
    assert problem(answers[0]) == {
        "type": "urn:roster:problem:unauthenticated",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The email or the password is wrong.",
    }
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="roster"'
    assert await outcomes(client, sort="time") == ["wrong", "wrong", "unknown", "wrong", "inactive"]


async def test_an_unknown_email_costs_the_same_hash(roster: Roster, client: httpx.AsyncClient, ann: Any) -> None:
    compared = []
    verify = roster.passwords._verify

    def counted(stored: str, password: str) -> Any:
        compared.append(stored.split("$")[3])
        return verify(stored, password)

    roster.passwords._verify = counted  # type: ignore[method-assign]
    try:
        for email in (ANN, "nobody@example.org"):
            assert (await log_in(client, "wrong horse battery", email)).status_code == 401
    finally:
        roster.passwords._verify = verify  # type: ignore[method-assign]
    assert compared == ["m=8,t=1,p=1"] * 2


async def test_the_sixth_attempt_is_refused_before_the_password_is_looked_at(
    roster: Roster, client: httpx.AsyncClient, ann: dict[str, Any]
) -> None:
    async with at(roster) as guesser, at(roster, "198.51.100.1") as owner:
        for _ in range(5):
            assert (await log_in(guesser, "wrong horse battery")).status_code == 401
        # With no place for a hash the answer would be 503.
        places, roster.passwords._places = roster.passwords._places, 0
        try:
            refused = [await log_in(guesser) for _ in range(3)]
        finally:
            roster.passwords._places = places
        assert {each.status_code for each in refused} == {429}
        seconds = int(refused[0].headers["retry-after"])
        assert 895 <= seconds <= 900
        assert problem(refused[0]) == {
            "type": "urn:roster:problem:too-many-requests",
            "title": "Too Many Requests",
            "status": 429,
            "detail": f"There were too many failed logins; try again in {seconds} seconds.",
        }
        # An unknown account is refused alike, and the owner elsewhere is not.
        for _ in range(5):
            assert (await log_in(guesser, email="nobody@example.org")).status_code == 401
        assert (await log_in(guesser, email="nobody@example.org")).status_code == 429
        assert (await log_in(owner)).status_code == 201
    listed = (await client.get("/v1/logins", params={"address": "203.0.113.9", "sort": "time"})).json()["items"]
    assert [each["outcome"] for each in listed] == ["wrong"] * 5 + ["throttled"] + ["unknown"] * 5 + ["throttled"]
    assert [each["user_id"] for each in listed] == [ann["id"]] * 6 + [None] * 6


async def test_the_wait_that_is_told_is_enough(roster: Roster, client: httpx.AsyncClient, ann: Any) -> None:
    for _ in range(5):
        await log_in(client, "wrong horse battery")
    assert (await log_in(client)).status_code == 429
    # As if all of it had been a quarter of an hour ago, less the time that the test took.
    async with roster.database.writing.begin() as connection:
        await connection.execute(update(Login).values(id=Login.id - 900_000_000))
    assert (await log_in(client)).status_code == 201


async def test_parallel_guesses_are_told_no_more_than_the_limit(
    roster: Roster, client: httpx.AsyncClient, ann: Any
) -> None:
    async with at(roster) as guesser:
        guesses = [log_in(guesser, "wrong horse battery") for _ in range(20)] + [log_in(guesser) for _ in range(10)]
        answers = await asyncio.gather(*guesses)
    statuses = [each.status_code for each in answers]
    assert statuses.count(401) <= 5
    assert set(statuses) <= {201, 401, 429}
    assert await outcomes(client, outcome="wrong") == ["wrong"] * statuses.count(401)
    assert len(await outcomes(client, outcome="throttled")) == 1


async def test_right_logins_at_the_same_time_all_succeed(client: httpx.AsyncClient, ann: Any) -> None:
    answers = await asyncio.gather(*(log_in(client) for _ in range(12)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["token"] for each in answers}) == 12


async def test_a_full_queue_is_503_and_no_failure(roster: Roster, client: httpx.AsyncClient, ann: Any) -> None:
    places, roster.passwords._places = roster.passwords._places, 0
    try:
        answer = await log_in(client)
    finally:
        roster.passwords._places = places
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await outcomes(client) == []


async def test_a_hash_of_other_parameters_is_renewed_at_the_next_login(
    roster: Roster, client: httpx.AsyncClient, ann: Any
) -> None:
    from service.password_hashing.pool import Passwords
    from service.settings import Settings

    before = roster.passwords
    roster.litestar.state["passwords"] = newer = Passwords(Settings(argon2_memory_kib=16, argon2_iterations=1))
    try:
        # Both find the old hash, and one of them is the first to store the new one.
        answers = await asyncio.gather(log_in(client), log_in(client))
        assert {each.status_code for each in answers} == {201}
    finally:
        roster.litestar.state["passwords"] = before
        newer.close()
    async with roster.database.reading.connect() as connection:
        stored = (await connection.exec_driver_sql("SELECT password_hash FROM credentials")).scalar_one()
    assert stored.startswith("$argon2id$v=19$m=16,t=1,p=1$")


async def test_a_session_ends_by_itself(roster: Roster, client: httpx.AsyncClient, ann: Any) -> None:
    session = (await log_in(client)).json()
    async with roster.database.writing.begin() as connection:
        await connection.execute(update(Token).values(expires_at=Token.created_at))
    roster.authentication.forget()
    answer = await client.delete("/v1/sessions/current", headers=bearer(session["token"]))
    assert (answer.status_code, answer.json()["detail"]) == (401, "The token has expired.")


async def test_the_faults_of_a_login_are_told_without_its_values(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/sessions", json={"email": "ann", "password": "x" * 129, "remember": True})
    assert problem(answer) == invalid(
        {"detail": "There is no such field.", "pointer": "/remember"},
        {
            "detail": "The value is blank, holds a character that is not allowed, or does not match the format.",
            "pointer": "/email",
        },
        {"detail": "Expected str of length <= 128.", "pointer": "/password"},
    )
    assert "xxx" not in answer.text
    assert (await client.post("/v1/sessions", content=b'{"password": "secret horse', headers={})).status_code == 415


async def test_what_was_typed_is_in_the_history(roster: Roster, client: httpx.AsyncClient, ann: Any) -> None:
    async with at(roster, "2001:db8::7", **{"user-agent": "Mozilla/5.0 \x1b[2J"}) as browser:
        await log_in(browser, email="Ann@EXAMPLE.org")
    listed = (await client.get(f"/v1/users/{ann['id']}/logins")).json()
    assert listed["items"] == [
        {
            "id": listed["items"][0]["id"],
            "time": MOMENT,
            "user_id": ann["id"],
            "outcome": "ok",
            "address": "2001:db8::7",
            "agent": "Mozilla/5.0 ?[2J",
            "email": "Ann@EXAMPLE.org",
        }
    ]


async def test_outcomes_are_metrics(client: httpx.AsyncClient, ann: Any) -> None:
    async def count(outcome: str) -> float:
        lines = (await client.get("/metrics")).text.splitlines()
        return next(
            (float(each.split()[1]) for each in lines if f'roster_logins_total{{outcome="{outcome}"}}' in each), 0
        )

    before = [await count("ok"), await count("wrong")]
    await log_in(client)
    await log_in(client, "wrong horse battery")
    assert [await count("ok"), await count("wrong")] == [before[0] + 1, before[1] + 1]
    assert "roster_passwords_in_hand 0.0" in (await client.get("/metrics")).text


async def test_wrong_logins_do_not_empty_the_cache_of_tokens(
    roster: Roster, client: httpx.AsyncClient, ann: Any
) -> None:
    token = (await log_in(client)).json()["token"]
    await client.get("/v1/me/logins", headers=bearer(token))
    cached = len(roster.authentication.tokens._cache)
    async with at(roster) as guesser:
        answers = [await log_in(guesser, "wrong horse battery") for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert len(roster.authentication.tokens._cache) == cached == 1
