"""Roles and preferences in files of users."""

import json
from typing import Any

import httpx
import pytest

from service.app import Roster
from tests.callers import Caller, add_caller
from tests.conftest import Make
from tests.roles.test_roles import LAST

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}
PREFERENCES = '{"a":[1.0,1e400,-0,9223372036854775809],"é":{"x":null}}'


async def send(
    client: httpx.AsyncClient, text: str, headers: dict[str, str] = NDJSON, mode: str = "upsert", **parameters: Any
) -> dict[str, Any]:
    answer = await client.post(
        "/v1/users/import", params={"mode": mode, **parameters}, content=text.encode(), headers=headers
    )
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("created", "updated", "unchanged", "failed"))


def faults(report: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(each["line"], each["field"], each["detail"]) for each in report["errors"]]


@pytest.mark.parametrize("mode", ["create", "upsert"])
async def test_a_line_has_roles_and_preferences(client: httpx.AsyncClient, mode: str) -> None:
    ann = (
        f'{{"name":"Ann","email":"a@b.c","external_id":"a","roles":["viewer","editor"],"preferences":{PREFERENCES}}}\n'
    )
    bob = '{"name":"Bob","email":"b@b.c"}\n'
    assert counts(await send(client, ann + bob, mode=mode)) == (2, 0, 0, 0)
    users = (await client.get("/v1/users")).json()["items"]
    assert [(each["roles"], each["version"]) for each in users] == [(["editor", "viewer"], 1), ([], 1)]
    stored = await client.get(f"/v1/users/{users[0]['id']}/preferences")
    assert (stored.text, stored.headers["etag"]) == (PREFERENCES, '"1"')
    for format in ("ndjson", "csv"):
        file = await client.get("/v1/users/export", params={"format": format})
        again = await send(client, file.text, CSV if format == "csv" else NDJSON)
        assert counts(again) == (0, 0, 2, 0), again
    assert (await client.get("/v1/users")).json()["items"] == users
    exported = (await client.get("/v1/users/export", params={"role": "viewer"})).text
    assert f'"preferences":{PREFERENCES}' in exported
    assert len(exported.splitlines()) == 1


async def test_roles_that_change_count_as_a_change_of_the_user_and_preferences_do_not(
    client: httpx.AsyncClient, make: Make
) -> None:
    user = await make("users", email="a@b.c", name="Ann", external_id="a")
    line = {"external_id": "a", "name": "Ann", "email": "a@b.c"}
    steps: list[tuple[dict[str, Any], tuple[int, ...], list[str], int]] = [
        ({"roles": ["viewer", "editor"]}, (0, 1, 0, 0), ["editor", "viewer"], 2),
        ({"preferences": {"a": 1}}, (0, 1, 0, 0), ["editor", "viewer"], 2),
        ({"preferences": {"a": 1}, "roles": ["editor", "viewer"]}, (0, 0, 1, 0), ["editor", "viewer"], 2),
        ({"roles": ["viewer"], "age": 3}, (0, 1, 0, 0), ["viewer"], 3),
        ({}, (0, 0, 1, 0), ["viewer"], 3),
        ({"roles": [], "preferences": {}}, (0, 1, 0, 0), [], 4),
    ]
    for fields, counted, roles, version in steps:
        dry = await send(client, json.dumps(line | fields), dry_run="true")
        assert counts(dry) == counted
        assert counts(await send(client, json.dumps(line | fields))) == counted, fields
        found = (await client.get(f"/v1/users/{user['id']}")).json()
        assert (found["roles"], found["version"]) == (roles, version), fields
    assert (await client.get(f"/v1/users/{user['id']}/preferences")).headers["etag"] == '"2"'


async def test_a_table_has_them_as_text(client: httpx.AsyncClient) -> None:
    table = 'name,email,roles,preferences\nAnn,a@b.c,viewer;editor,"{""a"": 1}"\nBob,b@b.c,,\nCy,c@b.c,[],{}\n'
    assert counts(await send(client, table, CSV, mode="create")) == (3, 0, 0, 0)
    file = await client.get("/v1/users/export", params={"format": "csv"})
    assert file.text.splitlines()[0].endswith(",roles,version,created_at,updated_at,preferences")
    assert file.text.splitlines()[1].endswith(',"{""a"":1}"')
    assert '"[""editor"",""viewer""]"' in file.text


async def test_what_is_wrong_is_told_with_its_place(client: httpx.AsyncClient) -> None:
    lines: list[dict[str, Any]] = [
        {"roles": ["nobody"]},
        {"roles": ["viewer", "viewer"]},
        {"roles": ["No Role"]},
        {"preferences": []},
        {"preferences": {"a": {"k" * 101: 1}}},
        {"age": "x", "preferences": {"a": 1}},
        {"age": 3.0, "preferences": {"a": 1.0}},
    ]
    text = "\n".join(json.dumps({"name": "A", "email": f"a{n}@b.c", **line}) for n, line in enumerate(lines))
    for mode in ("create", "upsert"):
        report = await send(client, text, mode=mode, dry_run="true")
        assert counts(report) == (1, 0, 0, 6)
        told = faults(report)
        assert told[0] == (1, "roles", "There is no role nobody.") or told[-1] == (
            1,
            "roles",
            "There is no role nobody.",
        )
        assert {(line, field) for line, field, _ in told} == {
            (1, "roles"),
            (2, "roles/1"),
            (3, "roles/0"),
            (4, "preferences"),
            (5, f"preferences/a/{'k' * 101}"),
            (6, "age"),
        }
    report = await send(client, "name,email,preferences\nAnn,a@b.c,{\n", CSV)
    assert faults(report) == [(2, "preferences", "Expected the text of a JSON object.")]


async def test_nobody_imports_a_role_that_they_do_not_hold(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    editor = await add_caller(roster, "editor")
    line = {"name": "Ann", "email": "a@b.c", "external_id": "a"}

    async def by(caller: Caller, mode: str, **fields: Any) -> dict[str, Any]:
        return await send(client, json.dumps(line | fields), NDJSON | caller.headers, mode)

    for mode in ("create", "upsert"):
        report = await by(editor, mode, roles=["viewer", "admin"])
        assert counts(report) == (0, 0, 0, 1)
        ((_, field, detail),) = faults(report)
        assert field == "roles"
        assert detail.startswith("To give or take admin the token needs the permissions events.read, logins.read, ")
    assert counts(await by(admin, "create", roles=["viewer", "admin"])) == (1, 0, 0, 0)
    # Who leaves the role where it is needs no more than to change users.
    assert counts(await by(editor, "upsert", roles=["admin", "editor"])) == (0, 1, 0, 0)
    assert counts(await by(editor, "upsert", roles=["editor"])) == (0, 0, 0, 1)


async def test_an_import_changes_no_account_that_may_do_more(client: httpx.AsyncClient, roster: Roster) -> None:
    admin, editor = await add_caller(roster, "admin"), await add_caller(roster, "editor")
    line = {"name": "Ann", "email": "a@b.c", "external_id": "a"}

    async def by(caller: Caller, **fields: Any) -> dict[str, Any]:
        return await send(client, json.dumps(line | fields), NDJSON | caller.headers)

    await by(admin, roles=["admin"])
    for fields in ({"active": False}, {"email": "b@b.c"}, {"active": False, "email": "b@b.c", "roles": ["admin"]}):
        report = await by(editor, **fields)
        assert counts(report) == (0, 0, 0, 1)
        assert [field for _, field, _ in faults(report)] == sorted(fields.keys() & {"active", "email"})
        assert "the permissions events.read, logins.read, " in faults(report)[0][2]
    assert counts(await by(editor, name="Anne", active=True)) == (0, 1, 0, 0)
    assert counts(await by(admin, active=False)) == (0, 1, 0, 0)
    assert counts(await by(editor, active=True)) == (0, 0, 0, 1)
    assert counts(await by(admin, active=True, roles=["editor"])) == (0, 1, 0, 0)
    assert counts(await by(editor, active=False, email="b@b.c")) == (0, 1, 0, 0)


@pytest.mark.parametrize("atomic", ["false", "true"])
async def test_an_import_leaves_an_administrator(client: httpx.AsyncClient, roster: Roster, atomic: str) -> None:
    admin = await add_caller(roster, "admin")
    user = (await client.get(f"/v1/users/{admin.user_id}", headers=admin.headers)).json()
    line = {"name": user["name"], "email": user["email"], "external_id": "boss"}
    headers = NDJSON | admin.headers
    await client.patch(f"/v1/users/{admin.user_id}", json={"external_id": "boss"}, headers=admin.headers)
    other = json.dumps({"name": "Ann", "email": "a@b.c", "external_id": "a"})
    for fields in ({"active": False}, {"roles": ["viewer"]}):
        answer = await client.post(
            "/v1/users/import",
            params={"mode": "upsert", "atomic": atomic},
            content=f"{other}\n{json.dumps(line | fields)}",
            headers=headers,
        )
        if atomic == "true":
            assert (answer.status_code, answer.json()["detail"]) == (409, LAST)
        else:
            assert [each["detail"] for each in answer.json()["errors"]] == [LAST]
    moved = f"{json.dumps(line | {'roles': []})}\n" + json.dumps(json.loads(other) | {"roles": ["admin"]})
    assert counts(await send(client, moved, headers, atomic=atomic))[3] == 0
