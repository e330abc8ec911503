from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.app import Roster
from service.models import Token
from tests.callers import add_caller
from tests.conftest import Make
from tests.nouns import MOMENT, invalid, not_found, problem
from tests.sessions.test_sessions import bearer, log_in

OLD, NEW = "correct horse battery", "another horse battery"
COMMON = {
    "detail": "This is one of the 10,000 commonest passwords, which attackers try first; choose another.",
    "pointer": "/new_password",
}


async def user(client: httpx.AsyncClient, make: Make, email: str = "ann@example.org", role: str = "") -> dict[str, Any]:
    made = await make("users", email=email)
    await client.put(f"/v1/users/{made['id']}/password", json={"new_password": OLD})
    return made


async def session(client: httpx.AsyncClient, password: str = OLD, email: str = "ann@example.org") -> str:
    token: str = (await log_in(client, password, email)).json()["token"]
    return token


async def is_valid(client: httpx.AsyncClient, token: str) -> bool:
    # Answers 422 to a token that may ask.
    return (await client.put("/v1/me/password", headers=bearer(token), json={})).status_code == 422


async def change(client: httpx.AsyncClient, token: str, **fields: object) -> httpx.Response:
    return await client.put("/v1/me/password", headers=bearer(token), json={"new_password": NEW, **fields})


async def test_a_change_ends_the_other_sessions_and_links(client: httpx.AsyncClient, make: Make) -> None:
    ann = await user(client, make)
    kept, other = await session(client), await session(client)
    link = (await client.post(f"/v1/users/{ann['id']}/password-links")).json()["token"]
    assert (await change(client, kept, current_password=OLD)).status_code == 204
    assert (await is_valid(client, kept), await is_valid(client, other)) == (True, False)
    used = await client.post("/v1/password-links", json={"token": link, "new_password": NEW + "!"})
    assert used.status_code == 422
    assert (await log_in(client, OLD)).status_code == 401
    assert (await log_in(client, NEW)).status_code == 201


async def test_a_wrong_current_password_is_a_failed_login(client: httpx.AsyncClient, make: Make) -> None:
    await user(client, make)
    token = await session(client)
    answer = await change(client, token, current_password="wrong horse battery")
    assert problem(answer) == invalid({"detail": "This is not the current password.", "pointer": "/current_password"})
    missing = await change(client, token)
    assert problem(missing) == invalid({"detail": "The current password is required.", "pointer": "/current_password"})
    for _ in range(4):
        await change(client, token, current_password="wrong horse battery")
    refused = await change(client, token, current_password=OLD)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 890) == (429, True)
    assert (await log_in(client, OLD)).status_code == 429


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("Password1", COMMON),
        ("seven77", {"detail": "Expected str of length >= 8.", "pointer": "/new_password"}),
        ("🔑" * 129, {"detail": "Expected str of length <= 128.", "pointer": "/new_password"}),
    ],
)
async def test_a_weak_password_is_refused_everywhere(
    client: httpx.AsyncClient, make: Make, password: str, error: dict[str, str]
) -> None:
    ann = await user(client, make)
    token = await session(client)
    link = (await client.post(f"/v1/users/{ann['id']}/password-links")).json()["token"]
    answers = [
        await change(client, token, new_password=password, current_password=OLD),
        await client.put(f"/v1/users/{ann['id']}/password", json={"new_password": password}),
        await client.post("/v1/password-links", json={"token": link, "new_password": password}),
    ]
    assert [problem(each) for each in answers] == [invalid(error)] * 3
    assert password not in answers[0].text
    # The link is unused still.
    used = await client.post("/v1/password-links", json={"token": link, "new_password": NEW})
    assert used.status_code == 204


@pytest.mark.parametrize("password", ["🔑" * 8, " " * 8, "a" * 128, "tab\tnul\0\n", "Zoe\u0308 Zo\u00eb"])
async def test_a_password_is_taken_verbatim(client: httpx.AsyncClient, make: Make, password: str) -> None:
    ann = await user(client, make)
    assert (await client.put(f"/v1/users/{ann['id']}/password", json={"new_password": password})).status_code == 204
    assert (await log_in(client, password.strip() or "x")).status_code == (201 if password.strip() == password else 401)
    assert (await log_in(client, password)).status_code == 201


async def test_a_link_sets_a_password_once(client: httpx.AsyncClient, make: Make) -> None:
    ann = await make("users", email="ann@example.org")
    path = f"/v1/users/{ann['id']}/password-links"
    first, answer = await client.post(path), await client.post(path)
    assert answer.status_code == 201
    link = answer.json()
    assert link == {
        "url": f"http://roster.localhost/password#{link['token']}",
        "token": link["token"],
        "expires_at": MOMENT,
    }
    assert answer.headers["cache-control"] == "no-store"

    async def use(token: str) -> httpx.Response:
        return await client.post("/v1/password-links", json={"token": token, "new_password": NEW})

    # A newer link takes the place of an earlier one, and no link is a token of requests.
    assert (await use(first.json()["token"])).status_code == 422
    assert (await client.delete("/v1/sessions/current", headers=bearer(link["token"]))).status_code == 401
    assert (await use(link["token"])).status_code == 204
    again = await use(link["token"])
    detail = "This link is not valid: it was used, it has expired, or a newer one took its place. Ask for a new link."
    assert problem(again) == invalid({"detail": detail, "pointer": "/token"})
    assert (await log_in(client, NEW)).status_code == 201


async def test_what_is_no_link_costs_no_hash(roster: Roster, client: httpx.AsyncClient, make: Make) -> None:
    ann = await user(client, make)
    token = await session(client)
    places, roster.passwords._places = roster.passwords._places, 0
    try:
        for text in ("roster_x", "é" * 200, token):
            answer = await client.post("/v1/password-links", json={"token": text, "new_password": NEW})
            assert answer.status_code == 422
        link = (await client.post(f"/v1/users/{ann['id']}/password-links")).json()["token"]
        async with roster.database.writing.begin() as connection:
            await connection.execute(update(Token).where(Token.kind == "link").values(expires_at=Token.created_at))
        answer = await client.post("/v1/password-links", json={"token": link, "new_password": NEW})
        assert answer.status_code == 422
    finally:
        roster.passwords._places = places


async def test_a_link_is_void_when_its_user_may_do_more_than_its_maker(
    client: httpx.AsyncClient, roster: Roster, make: Make
) -> None:
    admin, editor = await add_caller(roster, "admin"), await add_caller(roster, "editor")
    used = []
    for maker, role in ((editor, "admin"), (editor, "editor"), (admin, "admin")):
        made = await client.post(
            "/v1/users", json={"name": "Ann", "email": f"{role}@{maker.user_id}.org"}, headers=maker.headers
        )
        path = f"/v1/users/{made.json()['id']}"
        link = (await client.post(f"{path}/password-links", headers=maker.headers)).json()["token"]
        await client.put(f"{path}/roles/{role}", headers=admin.headers)
        used.append(await client.post("/v1/password-links", json={"token": link, "new_password": NEW}))
    assert [each.status_code for each in used] == [422, 204, 204]
    detail = "The user of this link has been given more permissions than its maker has. Ask for a new link."
    assert problem(used[0]) == invalid({"detail": detail, "pointer": "/token"})


async def test_a_link_of_an_inactive_user_is_void(client: httpx.AsyncClient, make: Make) -> None:
    ann = await user(client, make)
    link = (await client.post(f"/v1/users/{ann['id']}/password-links")).json()["token"]
    await client.patch(f"/v1/users/{ann['id']}", json={"active": False})
    answer = await client.post("/v1/password-links", json={"token": link, "new_password": NEW})
    assert answer.status_code == 422


async def test_only_a_user_that_exists_has_a_password(client: httpx.AsyncClient) -> None:
    answers = [
        await client.put("/v1/users/4711/password", json={"new_password": NEW}),
        await client.post("/v1/users/4711/password-links"),
    ]
    assert [problem(each) for each in answers] == [not_found("There is no user 4711.")] * 2
    own = await client.put("/v1/me/password", json={"new_password": NEW})
    assert own.status_code == 403


async def test_nobody_takes_over_an_account_with_more_permissions(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    admin, editor, other = [await user(client, make, f"{name}@example.org") for name in ("admin", "editor", "other")]
    async with roster.database.writing.begin() as connection:
        for one, role in ((editor, "editor"), (other, "viewer"), (admin, "admin")):
            await connection.exec_driver_sql(
                "INSERT INTO user_roles (user_id, role_id, created_at) "
                f"SELECT {one['id']}, id, created_at FROM roles WHERE name = '{role}'"
            )
    roster.authentication.forget()
    token = bearer(await session(client, email="editor@example.org"))
    for refused in (
        await client.put(f"/v1/users/{admin['id']}/password", headers=token, json={"new_password": NEW}),
        await client.post(f"/v1/users/{admin['id']}/password-links", headers=token),
    ):
        assert refused.status_code == 403
        assert "tokens.write, users.erase" in problem(refused)["detail"]
    for own in (
        await client.put(f"/v1/users/{editor['id']}/password", headers=token, json={"new_password": NEW}),
        await client.post(f"/v1/users/{editor['id']}/password-links", headers=token),
    ):
        assert (own.status_code, "PUT /v1/me/password" in problem(own)["detail"]) == (403, True)
    path = f"/v1/users/{other['id']}/password"
    assert (await client.put(path, headers=token, json={"new_password": NEW})).status_code == 204
    viewer = bearer(await session(client, NEW, "other@example.org"))
    assert (await client.put(path, headers=viewer, json={"new_password": NEW})).status_code == 403
    assert (await client.put(path, json={"new_password": NEW})).status_code == 401


async def test_a_first_password_needs_a_token_of_all_permissions(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    from service.tokens.actions import issue

    ann = await make("users", email="ann@example.org")
    async with roster.database.writing.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO user_roles (user_id, role_id, created_at) "
            f"SELECT {ann['id']}, id, created_at FROM roles WHERE name = 'viewer'"
        )

    async def token(permissions: Any) -> str:
        issued = await roster.database.units.run(
            lambda session: issue(
                session, user_id=ann["id"], kind="token", name="t", permissions=permissions, lifetime=None
            )
        )
        return issued.text

    limited, full = await token(["users.read"]), await token(None)
    assert (await change(client, limited)).status_code == 403
    assert (await change(client, full)).status_code == 204
    assert problem(await change(client, full))["status"] == 422
    assert (await log_in(client, NEW)).status_code == 201
