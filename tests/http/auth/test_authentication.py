"""Who is let in: with which token, from where, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from service.app import Roster, create_app
from service.http.auth import lookup
from service.http.auth.token_text import new_token
from service.models import Token, User
from service.settings import Settings
from tests.callers import add_caller, elsewhere
from tests.conftest import Make, client_of

BOOTSTRAP = "b" * 32
MISSING = "This request needs a token: send it as `Authorization: Bearer roster_…`."


async def test_without_an_administrator_no_token_is_needed(client: httpx.AsyncClient, roster: Roster) -> None:
    await add_caller(roster, "editor")
    assert (await client.get("/v1/users")).status_code == 200


async def test_with_an_administrator_a_token_is_needed(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    refused = await client.get("/v1/users")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="roster"')
    assert (refused.json()["type"], refused.json()["detail"]) == ("urn:roster:problem:unauthenticated", MISSING)
    assert (await client.get("/v1/users", headers=admin.headers)).status_code == 200
    for path in ("/livez", "/readyz", "/openapi.json", "/docs"):
        assert (await client.get(path)).status_code == 200


async def test_an_administrator_who_is_not_active_does_not_count(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    await elsewhere(roster, User, admin.user_id, active=False)
    roster.authentication.forget()
    assert (await client.get("/v1/users")).status_code == 200


async def test_a_missing_permission_is_named(client: httpx.AsyncClient, roster: Roster) -> None:
    viewer = await add_caller(roster, "viewer")
    refused = await client.post("/v1/records", headers=viewer.headers, content=b"not even JSON")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "This needs the permission records.write, which the token does not have."
    assert refused.headers["www-authenticate"] == 'Bearer realm="roster", error="insufficient_scope"'


async def test_a_token_may_allow_less_than_its_user(client: httpx.AsyncClient, roster: Roster) -> None:
    # Of what it lists only what the user may do counts.
    caller = await add_caller(roster, "viewer", permissions=["records.read", "records.write"])
    assert (await client.get("/v1/records", headers=caller.headers)).status_code == 200
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 403
    assert (await client.post("/v1/records", headers=caller.headers, json={"title": "a"})).status_code == 403


async def test_permissions_of_several_roles_add_up(client: httpx.AsyncClient, roster: Roster) -> None:
    caller = await add_caller(roster, "viewer", holding=["metrics.read"])
    for path in ("/metrics", "/v1/users"):
        assert (await client.get(path, headers=caller.headers)).status_code == 200
    assert (await client.get("/v1/tokens", headers=caller.headers)).status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/v1/users/7", "/v1/users/nobody", "/v1/users?no=such", "/version", "/metrics"])
async def test_nothing_is_told_before_the_token_is_checked(
    client: httpx.AsyncClient, roster: Roster, method: str, path: str
) -> None:
    await add_caller(roster, "admin")
    assert (await client.request(method, path)).status_code == 401


async def test_what_is_served_where_is_public(client: httpx.AsyncClient, roster: Roster) -> None:
    await add_caller(roster, "admin")
    assert (await client.get("/v1/nothing")).status_code == 404
    assert (await client.put("/v1/users")).status_code == 405
    assert (await client.options("/v1/users")).status_code == 204


@pytest.mark.parametrize("written", ["bearer {}", "BEARER {}", "Bearer   {}"])
async def test_the_scheme_may_be_written_so(client: httpx.AsyncClient, roster: Roster, written: str) -> None:
    admin = await add_caller(roster, "admin")
    assert (await client.get("/version", headers={"authorization": written.format(admin.token)})).status_code == 200


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "Basic {}",
        "Token {}",
        "Bearer",
        "Bearer {} {}",
        "Bearer\t{}",
        'Bearer "{}"',
        "Bearer {},",
        "Bearer{}",
        "Bearer {}=",
        "Bearer roster_",
        "Bearer " + "a" * 60_000,
        "Bearer {}" + "0" * 20,
    ],
)
async def test_anything_else_in_authorization_is_refused(
    client: httpx.AsyncClient, roster: Roster, written: str
) -> None:
    admin = await add_caller(roster, "admin")
    text = written.replace("{}", admin.token)
    refused = await client.get("/version", headers={"authorization": text})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith('Bearer realm="roster"')
    assert admin.token not in refused.text


async def test_two_authorization_headers_are_refused(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    field = ("authorization", f"Bearer {admin.token}")
    refused = await client.get("/version", headers=[field, field])
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:roster:problem:malformed")
    assert refused.headers["www-authenticate"] == 'Bearer realm="roster", error="invalid_request"'


async def test_a_token_counts_in_a_header_only(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    for name in ("access_token", "token"):
        assert (await client.get("/version", params={name: admin.token})).status_code == 401
    form = await client.post("/v1/users", data={"access_token": admin.token})
    assert form.status_code == 401


async def test_an_unknown_token_and_one_without_its_checksum_are_refused(
    client: httpx.AsyncClient, roster: Roster
) -> None:
    admin = await add_caller(roster, "admin")
    wrong = admin.token[:-1] + ("0" if admin.token[-1] != "0" else "1")
    for text, why in ((new_token(), "there is no such token"), (wrong, "not written as")):
        refused = await client.get("/version", headers={"authorization": f"Bearer {text}"})
        assert refused.status_code == 401
        assert why in refused.json()["detail"]
        assert refused.headers["www-authenticate"] == 'Bearer realm="roster", error="invalid_token"'


async def test_a_token_that_is_not_valid_is_refused_even_where_none_is_needed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/users")).status_code == 200
    assert (await client.get("/v1/users", headers={"authorization": f"Bearer {new_token()}"})).status_code == 401
    # What another program in front uses is none of the service's business.
    assert (await client.get("/v1/users", headers={"authorization": "Basic YW5uOmE="})).status_code == 200


async def test_a_link_is_no_token(client: httpx.AsyncClient, roster: Roster) -> None:
    link = await add_caller(roster, "admin", kind="link")
    assert (await client.get("/version", headers=link.headers)).status_code == 401


@pytest.mark.parametrize(
    ("model", "change", "detail"),
    [
        (Token, {"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "The token was revoked."),
        (Token, {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, "The token has expired."),
        (User, {"active": False}, "The user of the token is not active."),
    ],
)
async def test_what_another_process_ended_counts_within_a_second(
    client: httpx.AsyncClient,
    roster: Roster,
    monkeypatch: pytest.MonkeyPatch,
    model: type[Token | User],
    change: dict[str, bool | datetime],
    detail: str,
) -> None:
    assert lookup.CACHE_SECONDS <= 1
    monkeypatch.setattr(lookup, "CACHE_SECONDS", 0.05)
    await add_caller(roster, "admin")
    caller = await add_caller(roster, "viewer")
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 200
    await elsewhere(roster, model, caller.token_id if model is Token else caller.user_id, **change)
    await asyncio.sleep(0.05)
    refused = await client.get("/v1/users", headers=caller.headers)
    assert (refused.status_code, refused.json()["detail"]) == (401, detail)


async def test_what_this_process_ended_counts_at_once(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    caller, other = await add_caller(roster, "viewer"), await add_caller(roster, "viewer")
    for each in (caller, other):
        assert (await client.get("/v1/users", headers=each.headers)).status_code == 200
    await client.delete(f"/v1/tokens/{caller.token_id}", headers=admin.headers)
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 401
    await client.patch(f"/v1/users/{other.user_id}", json={"active": False}, headers=admin.headers)
    assert (await client.get("/v1/users", headers=other.headers)).status_code == 401


async def test_a_token_expires_while_it_is_cached(client: httpx.AsyncClient, roster: Roster) -> None:
    await add_caller(roster, "admin")
    caller = await add_caller(roster, "viewer", lifetime=timedelta(milliseconds=150))
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 200
    await asyncio.sleep(0.15)
    refused = await client.get("/v1/users", headers=caller.headers)
    assert (refused.status_code, refused.json()["detail"]) == (401, "The token has expired.")


async def test_a_lookup_that_began_before_a_change_is_not_kept(roster: Roster, client: httpx.AsyncClient) -> None:
    caller = await add_caller(roster, "admin")
    began = asyncio.ensure_future(roster.authentication.tokens.actor(caller.token))
    await asyncio.sleep(0)
    roster.authentication.forget()
    assert (await began).user_id == caller.user_id
    assert roster.authentication.tokens.last_known(caller.token) is None


async def test_the_first_administrator_counts_at_once(client: httpx.AsyncClient, roster: Roster) -> None:
    assert (await client.get("/v1/users")).status_code == 200
    # A no is remembered for a second, unless this process changes something.
    await add_caller(roster, "admin")
    assert (await client.get("/v1/users")).status_code == 401


async def test_the_last_use_is_stored_once_a_minute_and_is_no_change(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    stored = []
    for _ in range(2):
        await client.get("/version", headers=admin.headers)
        roster.authentication.forget()
        await roster.authentication.tokens.flush()
        [token] = (await client.get("/v1/me/tokens", headers=admin.headers)).json()["items"]
        stored.append(token)
    assert stored[0] == stored[1]
    assert stored[0]["last_used_at"] is not None
    assert (stored[0]["version"], stored[0]["updated_at"]) == (1, stored[0]["created_at"])


async def test_no_request_waits_for_the_database_twice_in_a_second(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    for _ in range(3):
        await client.get("/version", headers=admin.headers)
    figures = (await client.get("/metrics", headers=admin.headers)).text
    counts = {
        line.split('"')[1]: float(line.split()[-1])
        for line in figures.splitlines()
        if line.startswith("roster_token_checks_total")
    }
    assert counts["cached"] >= 3


async def test_the_bootstrap_token_counts_while_there_is_no_administrator(fresh_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_url, bootstrap_token=BOOTSTRAP))
    bootstrap = {"authorization": f"Bearer {BOOTSTRAP}"}
    async with client_of(roster) as client:
        assert (await client.get("/v1/users")).status_code == 401
        assert (await client.get("/v1/users", headers={"authorization": f"Bearer {'c' * 32}"})).status_code == 401
        assert (await client.get("/v1/users", headers=bootstrap)).status_code == 200
        assert (await client.get("/v1/me/tokens", headers=bootstrap)).status_code == 403
        await add_caller(roster, "admin")
        refused = await client.get("/v1/users", headers=bootstrap)
    await roster.database.close()
    assert (refused.status_code, refused.json()["detail"][:28]) == (401, "The bootstrap token is void:")


async def test_other_machines_always_need_a_token(shared_roster: Roster, roster: Roster) -> None:
    for address, status in (("192.0.2.7", 401), ("::1", 200), ("127.8.8.8", 200), ("2001:db8::1", 401)):
        transport = httpx.ASGITransport(app=roster, client=(address, 5))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/v1/users")).status_code == status, address


async def test_a_trusted_proxy_on_this_machine_speaks_for_others(fresh_url: str) -> None:
    roster = create_app(Settings(database_url=fresh_url, trusted_proxies=("127.0.0.1/32",)))
    async with client_of(roster) as client:
        for forwarded, status in ((None, 200), ("192.0.2.7", 401), ("127.0.0.9", 200), ("192.0.2.7, 127.0.0.1", 401)):
            headers = {"x-forwarded-for": forwarded} if forwarded else {}
            assert (await client.get("/v1/users", headers=headers)).status_code == status, forwarded
    await roster.database.close()


async def test_an_answer_to_a_key_is_its_callers_own(client: httpx.AsyncClient, roster: Roster) -> None:
    one, other = await add_caller(roster, "admin"), await add_caller(roster, "editor")
    key = {"idempotency-key": "k"}
    created = [
        await client.post("/v1/records", json={"title": "a"}, headers=each.headers | key) for each in (one, one, other)
    ]
    assert created[0].content == created[1].content
    assert created[2].json()["id"] != created[0].json()["id"]


async def test_a_known_document_is_not_confirmed_to_a_stranger(
    client: httpx.AsyncClient, roster: Roster, make: Make
) -> None:
    record = await make("records")
    await add_caller(roster, "admin")
    stranger = await add_caller(roster)
    for headers in ({}, stranger.headers):
        answer = await client.get(f"/v1/records/{record['id']}", headers={**headers, "if-none-match": '"1"'})
        assert answer.status_code == (403 if headers else 401)
