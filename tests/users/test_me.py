"""What a user does with their own token: profile, preferences and recordings, on both databases."""

import httpx

from service.app import Roster
from service.http.auth.permissions import BUILT_IN, PERMISSIONS
from tests.callers import Caller, add_caller
from tests.nouns import problem


async def test_me_is_everybody_while_there_is_no_administrator(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me")
    assert answer.json() == {"kind": "open", "user": None, "token": None, "permissions": sorted(PERMISSIONS)}
    for method, path in (("PATCH", "/v1/me"), ("GET", "/v1/me/preferences"), ("GET", "/v1/me/records")):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert (answer.status_code, "the request has none" in problem(answer)["detail"]) == (403, True), path


async def test_me_shows_the_user_the_token_and_its_permissions(roster: Roster, client: httpx.AsyncClient) -> None:
    await add_caller(roster, "admin")
    caller = await add_caller(roster, "viewer")
    limited = await add_caller(roster, permissions=["users.read", "users.write"], user_id=caller.user_id)
    answer = await client.get("/v1/me", headers=caller.headers)
    assert answer.headers["cache-control"] == "no-store"
    me = answer.json()
    assert me["user"] == (await client.get(f"/v1/users/{caller.user_id}", headers=caller.headers)).json()
    assert me["user"]["roles"] == ["viewer"]
    assert me["token"] == {"id": caller.token_id, "name": "test", "kind": "token", "expires_at": None}
    assert (me["kind"], me["permissions"]) == ("token", sorted(BUILT_IN["viewer"]))
    assert (await client.get("/v1/me", headers=limited.headers)).json()["permissions"] == ["users.read"]


async def test_changes_only_what_a_user_may_change_of_themselves(roster: Roster, client: httpx.AsyncClient) -> None:
    await add_caller(roster, "admin")
    caller = await add_caller(roster)
    answer = await client.patch("/v1/me", json={"name": "Ann Lee", "age": 41}, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    user = answer.json()
    assert (user["name"], user["age"], user["version"]) == ("Ann Lee", 41, 2)
    for field, value in (("active", False), ("email", "x@y.z"), ("external_id", "e"), ("roles", ["admin"])):
        answer = await client.patch("/v1/me", json={field: value}, headers=caller.headers)
        assert [each["pointer"] for each in problem(answer)["errors"]] == [f"/{field}"]
    stale = await client.patch("/v1/me", json={"age": 1}, headers=caller.headers | {"if-match": '"1"'})
    assert stale.status_code == 412
    assert (await client.get("/v1/me", headers=caller.headers)).json()["user"] == user


async def test_preferences_and_recordings_are_those_of_the_caller(roster: Roster, client: httpx.AsyncClient) -> None:
    admin = await add_caller(roster, "admin")
    ann, bob = await add_caller(roster), await add_caller(roster)
    for number, owner in enumerate((ann, bob, ann)):
        await created_record(client, admin, f"Take {number}", owner)
    listed = (await client.get("/v1/me/records", params={"sort": "-title"}, headers=ann.headers)).json()
    assert [each["title"] for each in listed["items"]] == ["Take 2", "Take 0"]
    assert (await client.get("/v1/me/records?owner_id=1", headers=ann.headers)).status_code == 422
    stored = await client.put("/v1/me/preferences", json={"theme": "dark", "n": 1.0}, headers=ann.headers)
    assert stored.status_code == 200, stored.text
    changed = await client.patch("/v1/me/preferences", json={"theme": None}, headers=ann.headers)
    assert changed.text == '{"n":1.0}'
    read = await client.get(f"/v1/users/{ann.user_id}/preferences", headers=admin.headers)
    assert (read.text, read.headers["etag"]) == (changed.text, changed.headers["etag"])
    assert (await client.get("/v1/me/preferences", headers=bob.headers)).json() == {}


async def created_record(client: httpx.AsyncClient, admin: Caller, title: str, owner: Caller) -> None:
    body = {"title": title, "owner_id": owner.user_id}
    assert (await client.post("/v1/records", json=body, headers=admin.headers)).status_code == 201
