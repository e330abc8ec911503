import httpx
import pytest

from service.app import Roster
from tests.callers import Caller, add_caller
from tests.conftest import Make
from tests.nouns import MOMENT, conflict, problem


@pytest.mark.parametrize("email", ["ann@example.org", "ANN@Example.ORG", "\uff41nn@example.org"])
async def test_an_email_is_unique_however_it_is_written(client: httpx.AsyncClient, make: Make, email: str) -> None:
    await make("users", email="ann@example.org")
    other = await make("users")
    refused = conflict("Another user has this email.", "email")
    assert problem(await client.post("/v1/users", json={"name": "Ann", "email": email})) == refused
    assert problem(await client.patch(f"/v1/users/{other['id']}", json={"email": email})) == refused
    assert (await client.get(f"/v1/users/{other['id']}")).json() == other


async def test_a_user_may_write_their_own_email_anew(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users", email="ann@example.org")
    answer = await client.patch(f"/v1/users/{user['id']}", json={"email": "Ann@example.org"})
    assert answer.json() == user | {"email": "Ann@example.org", "version": 2, "updated_at": MOMENT}


async def test_an_account_is_changed_by_who_may_do_as_much(client: httpx.AsyncClient, roster: Roster) -> None:
    admin, other, editor = [await add_caller(roster, role) for role in ("admin", "admin", "editor")]

    async def change(by: Caller, of: Caller, **fields: object) -> int:
        return (await client.patch(f"/v1/users/{of.user_id}", json=fields, headers=by.headers)).status_code

    email = (await client.get(f"/v1/users/{other.user_id}", headers=admin.headers)).json()["email"]
    assert await change(editor, other, active=False) == 403
    refused = await client.patch(f"/v1/users/{other.user_id}", json={"email": "a@b.c"}, headers=editor.headers)
    assert refused.json()["detail"].endswith("Whoever changes email or active needs all of them.")
    # Other fields, and what stays as it is, need users.write alone.
    assert await change(editor, other, age=39, active=True, email=email) == 200
    assert await change(admin, other, active=False) == 200
    assert await change(editor, other, active=True) == 403
    assert await change(editor, editor, email="editor@example.org") == 200
    limited = await add_caller(roster, permissions=["users.write"], user_id=admin.user_id)
    assert await change(limited, admin, email="a@b.c") == 403


async def test_emails_of_other_letters_differ_and_sharp_s_is_ss(client: httpx.AsyncClient, make: Make) -> None:
    for email in ("strase@example.org", "strasse@example.org", "e\u0301@example.org", "e@example.org"):
        await make("users", email=email)
    for taken in ("stra\u00dfe@example.org", "\u00e9@example.org"):
        answer = await client.post("/v1/users", json={"name": "Ann", "email": taken})
        assert problem(answer) == conflict("Another user has this email.", "email")


async def test_a_deleted_user_is_taken_from_all_that_named_them(client: httpx.AsyncClient, make: Make) -> None:
    user, other = await make("users"), await make("users")
    owned = await make("records", owner_id=user["id"])
    not_owned = await make("records", owner_id=other["id"])
    employee = await make("employees", user_id=user["id"])
    assert (await client.delete(f"/v1/users/{user['id']}")).status_code == 204
    changed = {"version": 2, "updated_at": MOMENT}
    answer = await client.get(f"/v1/records/{owned['id']}", headers={"if-none-match": '"1"'})
    assert answer.json() == owned | changed | {"owner_id": None}
    assert answer.json()["updated_at"] > owned["updated_at"]
    assert (await client.get(f"/v1/employees/{employee['id']}")).json() == employee | changed | {"user_id": None}
    assert (await client.get(f"/v1/records/{not_owned['id']}")).json() == not_owned


async def test_a_deleted_user_leaves_their_email_to_others(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users", email="ann@example.org", external_id="a")
    await client.delete(f"/v1/users/{user['id']}")
    await make("users", email="ann@example.org", external_id="a")


async def test_lists_by_email_key_and_activity(client: httpx.AsyncClient, make: Make) -> None:
    ann = await make("users", name="Ann", email="ann@example.org", external_id="A1")
    bob = await make("users", name="Bob", email="bob@example.org", active=False)

    async def found(**filters: str) -> list[object]:
        items: list[object] = (await client.get("/v1/users", params=filters)).json()["items"]
        return items

    assert await found(email="ANN@example.org") == [ann]
    assert await found(external_id="A1") == [ann]
    assert await found(external_id="a1") == []
    assert await found(active="false") == [bob]
    assert await found(active="true", email="bob@example.org") == []
    assert await found(q="EXAMPLE", sort="-name") == [bob, ann]
