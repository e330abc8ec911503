"""Roles: what they are, who may change them, and who may give and take them."""

import asyncio

import httpx
import pytest

from service.app import Roster
from service.http.auth.permissions import BUILT_IN, PERMISSIONS
from tests.callers import Caller, add_caller
from tests.conftest import Make
from tests.nouns import MOMENT, conflict, invalid, not_found, problem, stale

NAMES = "Unique: small letters, digits and, between them, one of `.`, `_`, `-`."
LAST = "This user is the last active administrator; give another active user the role admin first."


@pytest.fixture
async def admin(roster: Roster) -> Caller:
    return await add_caller(roster, "admin")


def in_conflict(detail: str) -> dict[str, object]:
    return {name: value for name, value in conflict(detail, "").items() if name != "field"}


def forbidden(*permissions: str) -> dict[str, object]:
    detail = f"This needs every permission of the role, and the token does not have {', '.join(permissions)}."
    return {"type": "urn:roster:problem:forbidden", "title": "Forbidden", "status": 403, "detail": detail}


async def test_the_built_in_roles_hold_what_the_code_says_and_stay(client: httpx.AsyncClient) -> None:
    items = (await client.get("/v1/roles")).json()["items"]
    assert {each["name"]: each["permissions"] for each in items} == {
        name: sorted(held) for name, held in BUILT_IN.items()
    }
    assert {each["built_in"] for each in items} == {True}
    for name in BUILT_IN:
        for method, body in (("PUT", {"permissions": []}), ("PATCH", {}), ("DELETE", None)):
            answer = await client.request(method, f"/v1/roles/{name}", json=body)
            assert problem(answer) == in_conflict(f"The role {name} is built in: it cannot be changed or deleted.")


async def test_a_role_is_created_replaced_changed_and_deleted(client: httpx.AsyncClient) -> None:
    path = "/v1/roles/help-desk.2"
    created = await client.put(path, json={"permissions": ["users.read", "records.read"]})
    assert created.status_code == 201
    role = created.json()
    assert role == {
        "id": role["id"],
        "name": "help-desk.2",
        "description": None,
        "permissions": ["records.read", "users.read"],
        "built_in": False,
        "version": 1,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    read = await client.get(path)
    assert (read.json(), read.headers["etag"]) == (role, created.headers["etag"])
    again = await client.put(path, json={"permissions": ["records.read", "users.read"]})
    assert (again.status_code, again.json()) == (200, role)
    changed = await client.patch(path, json={"description": "Answers."}, headers={"If-Match": read.headers["etag"]})
    assert (changed.json()["description"], changed.json()["version"]) == ("Answers.", 2)
    assert changed.json()["permissions"] == role["permissions"]
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await client.request(
            method, path, json={"permissions": []}, headers={"If-Match": read.headers["etag"]}
        )
        assert problem(answer) == stale()
    names = [each["name"] for each in (await client.get("/v1/roles?sort=-name&limit=2")).json()["items"]]
    assert names == ["viewer", "help-desk.2"]
    assert (await client.delete(path)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert problem(answer) == not_found("There is no role help-desk.2.")


async def test_a_role_that_comes_again_has_another_etag(client: httpx.AsyncClient) -> None:
    first = await client.put("/v1/roles/a", json={"permissions": []})
    await client.delete("/v1/roles/a")
    second = await client.put("/v1/roles/a", json={"permissions": []})
    assert first.headers["etag"] != second.headers["etag"]
    answer = await client.delete("/v1/roles/a", headers={"If-Match": first.headers["etag"]})
    assert problem(answer) == stale()


async def test_refuses_names_and_permissions_that_are_none(client: httpx.AsyncClient) -> None:
    for name in ("Admin", "a--b", "-a", "a b", "ä", "a" * 51, "a%00", "1"):
        answer = await client.put(f"/v1/roles/{name}", json={"permissions": []})
        assert problem(answer)["errors"] == [
            {"detail": f"Expected 1 to 50 characters. {NAMES}", "parameter": "name"}
        ], name
        assert problem(await client.get(f"/v1/roles/{name}")) == not_found()
    answer = await client.put("/v1/roles/a", json={"permissions": ["users.read", "users.fly", "users.read"]})
    assert [each["pointer"] for each in problem(answer)["errors"]] == ["/permissions/1"]
    answer = await client.put("/v1/roles/a", json={"permissions": ["users.read", "users.read"]})
    assert problem(answer) == invalid({"detail": "users.read is given more than once.", "pointer": "/permissions/1"})


async def test_giving_and_taking_a_role_changes_the_user(client: httpx.AsyncClient, make: Make) -> None:
    user, other = await make("users"), await make("users")
    assert user["roles"] == []
    path = f"/v1/users/{user['id']}"
    await client.put("/v1/roles/zoo", json={"permissions": []})
    given = await client.put(f"{path}/roles/zoo", headers={"If-Match": '"1"'})
    assert (given.status_code, given.json()) == (
        (201, {"user_id": user["id"], "role": "zoo", "version": 2, "created_at": MOMENT})
    )
    again = await client.put(f"{path}/roles/zoo", headers={"If-Match": given.headers["etag"]})
    assert (again.status_code, again.json()) == (200, given.json())
    await client.put(f"{path}/roles/editor")
    shown = (await client.get(path)).json()
    assert shown == user | {"roles": ["editor", "zoo"], "version": 3, "updated_at": shown["updated_at"]}
    assert (await client.patch(path, json={})).json() == shown
    assert (await client.patch(path, json={"age": 3})).json()["roles"] == ["editor", "zoo"]
    assert [each["name"] for each in (await client.get(f"{path}/roles")).json()["items"]] == ["editor", "zoo"]
    found = {role: (await client.get("/v1/users", params={"role": role})).json() for role in ("zoo", "viewer")}
    assert [each["id"] for each in found["zoo"]["items"]] == [user["id"]]
    assert found["viewer"]["items"] == []
    assert (await client.get(f"/v1/users/{other['id']}/roles")).json() == {"items": [], "next_cursor": None}
    answer = await client.delete("/v1/roles/zoo")
    assert problem(answer) == in_conflict("1 user has the role zoo; take it from them first.")
    assert problem(await client.delete(f"{path}/roles/zoo", headers={"If-Match": '"3"'})) == stale()
    assert (await client.delete(f"{path}/roles/zoo")).status_code == 204
    assert (await client.get(path)).json()["roles"] == ["editor"]
    assert problem(await client.delete(f"{path}/roles/zoo")) == (
        not_found(f"User {user['id']} does not have the role zoo.")
    )
    await client.delete(path)
    assert (await client.delete("/v1/roles/zoo")).status_code == 204


async def test_what_is_not_there_is_neither_given_nor_listed(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    for method in ("PUT", "DELETE"):
        answer = await client.request(method, f"/v1/users/{user['id']}/roles/nobody")
        assert problem(answer) == not_found("There is no role nobody.")
        answer = await client.request(method, f"/v1/users/{user['id'] + 1}/roles/viewer")
        assert problem(answer) == not_found(f"There is no user {user['id'] + 1}.")
    assert problem(await client.get(f"/v1/users/{user['id'] + 1}/roles")) == (
        not_found(f"There is no user {user['id'] + 1}.")
    )


async def test_nobody_gives_takes_or_changes_what_they_do_not_hold(
    client: httpx.AsyncClient, roster: Roster, admin: Caller
) -> None:
    await client.put("/v1/roles/strong", json={"permissions": ["events.read"]}, headers=admin.headers)
    weak = await add_caller(roster, holding=["roles.read", "roles.write", "users.read", "users.write"])
    for path in (f"/v1/users/{weak.user_id}/roles/admin", f"/v1/users/{admin.user_id}/roles/admin"):
        lacking = sorted({*PERMISSIONS} - {"roles.read", "roles.write", "users.read", "users.write"})
        for method in ("PUT", "DELETE"):
            answer = await client.request(method, path, headers=weak.headers)
            assert problem(answer) == forbidden(*lacking)
    for method, body in (
        ("PUT", {"permissions": []}),
        ("PATCH", {"description": "weak"}),
        ("DELETE", None),
    ):
        answer = await client.request(method, "/v1/roles/strong", json=body, headers=weak.headers)
        assert problem(answer) == forbidden("events.read")
    for method, path in (("PUT", "/v1/roles/new"), ("PATCH", "/v1/roles/strong")):
        answer = await client.request(method, path, json={"permissions": ["users.erase"]}, headers=weak.headers)
        assert problem(answer) == forbidden("users.erase")
    mine = (await client.get(f"/v1/users/{weak.user_id}", headers=weak.headers)).json()["roles"][0]
    answer = await client.patch(f"/v1/roles/{mine}", json={"permissions": ["events.read"]}, headers=weak.headers)
    assert problem(answer) == forbidden("events.read")
    given = await client.put(f"/v1/users/{admin.user_id}/roles/{mine}", headers=weak.headers)
    assert given.status_code == 201


async def test_a_role_holds_at_once_and_no_longer_than_it_is_given(
    client: httpx.AsyncClient, roster: Roster, admin: Caller
) -> None:
    caller = await add_caller(roster)
    path = f"/v1/users/{caller.user_id}/roles/viewer"
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 403
    await client.put(path, headers=admin.headers)
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 200
    await client.delete(path, headers=admin.headers)
    assert (await client.get("/v1/users", headers=caller.headers)).status_code == 403


async def test_the_last_active_administrator_stays(client: httpx.AsyncClient, roster: Roster, admin: Caller) -> None:
    path = f"/v1/users/{admin.user_id}"
    inactive = await add_caller(roster, "admin")
    await client.patch(f"/v1/users/{inactive.user_id}", json={"active": False}, headers=admin.headers)
    ways = (("PATCH", path, {"active": False}), ("DELETE", path, None), ("DELETE", f"{path}/roles/admin", None))
    for method, address, body in ways:
        answer = await client.request(method, address, json=body, headers=admin.headers)
        assert problem(answer) == in_conflict(LAST), method
    assert (await client.patch(path, json={"active": True, "age": 3}, headers=admin.headers)).status_code == 200
    assert (await client.delete(f"/v1/users/{inactive.user_id}", headers=admin.headers)).status_code == 204


@pytest.mark.parametrize("way", ["strip", "deactivate", "delete"])
async def test_of_two_requests_that_take_the_last_two_administrators_one_is_refused(
    client: httpx.AsyncClient, roster: Roster, way: str
) -> None:
    callers = [await add_caller(roster, "admin") for _ in range(2)]

    async def take(one: Caller, by: Caller) -> httpx.Response:
        path = f"/v1/users/{one.user_id}"
        if way == "deactivate":
            return await client.patch(path, json={"active": False}, headers=by.headers)
        return await client.delete(path + ("/roles/admin" if way == "strip" else ""), headers=by.headers)

    one, other = callers
    answers = await asyncio.gather(take(one, by=other), take(other, by=one))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] < 300
    # The second may also have lost what it takes before its request was checked.
    assert codes[1] in (401, 403, 409)
    survivors = await client.get(
        "/v1/users?role=admin&active=true", headers=callers[answers[0].status_code < 300].headers
    )
    assert len(survivors.json()["items"]) == 1
