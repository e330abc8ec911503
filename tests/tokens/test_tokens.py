"""Tokens over HTTP: issued, listed and revoked, never for more than the caller may do."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from service.app import Roster
from service.http.auth.permissions import PERMISSIONS
from service.http.auth.token_text import digest, is_token
from service.models import Token, User
from service.tokens.actions import forget_ended, issue, revoke_all
from tests.callers import Caller, add_caller, add_user, elsewhere

KEYS = [
    *("id", "user_id", "kind", "name", "permissions", "expires_at", "revoked_at", "last_used_at"),
    *("version", "created_at", "updated_at"),
]


async def create(client: httpx.AsyncClient, caller: Caller, path: str = "/v1/me/tokens", **body: Any) -> httpx.Response:
    return await client.post(path, json={"name": "laptop", **body}, headers=caller.headers)


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def test_a_token_is_shown_once_and_stored_as_its_digest(client: httpx.AsyncClient, roster: Roster) -> None:
    admin = await add_caller(roster, "admin")
    answer = await create(client, admin)
    made = answer.json()
    text = made.pop("token")
    assert is_token(text)
    assert list(made) == KEYS
    assert (made["user_id"], made["kind"], made["name"]) == (admin.user_id, "token", "laptop")
    assert (made["permissions"], made["expires_at"], made["revoked_at"]) == (None, None, None)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/v1/me/tokens/{made['id']}"
    listed = await client.get("/v1/me/tokens", headers=admin.headers)
    assert listed.json()["items"][-1] == made
    assert text not in listed.text
    found = await roster.database.units.run(lambda session: session.scalar(select(Token.digest).order_by(-Token.id)))
    assert found == digest(text)
    assert (await client.get("/v1/users", headers=bearer(answer))).status_code == 200


async def test_everyone_sees_and_revokes_their_own_tokens_alone(client: httpx.AsyncClient, roster: Roster) -> None:
    one, other = await add_caller(roster), await add_caller(roster, "admin")
    assert [each["id"] for each in (await client.get("/v1/me/tokens", headers=one.headers)).json()["items"]] == [
        one.token_id
    ]
    refused = await client.delete(f"/v1/me/tokens/{other.token_id}", headers=one.headers)
    assert (refused.status_code, refused.json()["detail"]) == (404, f"There is no token {other.token_id}.")
    assert (await client.delete(f"/v1/me/tokens/{one.token_id}", headers=one.headers)).status_code == 204
    assert (await client.get("/v1/me/tokens", headers=one.headers)).status_code == 401


async def test_a_limited_token_revokes_none_that_allows_more(client: httpx.AsyncClient, roster: Roster) -> None:
    owner = await add_caller(roster, "admin")
    limited = await add_caller(roster, permissions=["users.read", "users.write"], user_id=owner.user_id)
    less = await add_caller(roster, permissions=["users.read"], user_id=owner.user_id)
    more = await add_caller(roster, permissions=["users.read", "events.read"], user_id=owner.user_id)

    async def revoke(token: Caller) -> int:
        return (await client.delete(f"/v1/me/tokens/{token.token_id}", headers=limited.headers)).status_code

    assert [await revoke(each) for each in (owner, more, less, limited)] == [403, 403, 204, 204]


async def test_tokens_of_others_need_a_permission(client: httpx.AsyncClient, roster: Roster) -> None:
    editor, admin = await add_caller(roster, "editor"), await add_caller(roster, "admin")
    path = f"/v1/users/{admin.user_id}/tokens"
    assert (await client.get("/v1/tokens", headers=editor.headers)).status_code == 403
    assert (await create(client, editor, path)).status_code == 403
    assert (await client.delete(f"/v1/tokens/{admin.token_id}", headers=editor.headers)).status_code == 403
    listed = await client.get("/v1/tokens", params={"user_id": editor.user_id}, headers=admin.headers)
    assert [each["id"] for each in listed.json()["items"]] == [editor.token_id]
    assert (await client.delete(f"/v1/tokens/{editor.token_id}", headers=admin.headers)).status_code == 204
    assert (await client.delete(f"/v1/tokens/{editor.token_id}", headers=admin.headers)).status_code == 404
    assert (await client.get("/v1/me/tokens", headers=editor.headers)).status_code == 401


async def test_a_limited_token_makes_no_wider_one(client: httpx.AsyncClient, roster: Roster) -> None:
    limited = await add_caller(roster, "admin", permissions=["users.read", "tokens.write"])
    # What it leaves open is what it may do itself, now and later.
    inherited = await create(client, limited)
    assert inherited.json()["permissions"] == ["tokens.write", "users.read"]
    refused = await create(client, limited, permissions=["users.write"])
    assert (refused.status_code, "users.write" in refused.json()["detail"]) == (403, True)
    # Nor through its own user's id, or through another user.
    other = await add_caller(roster, "admin")
    for user_id in (limited.user_id, other.user_id):
        answer = await create(client, limited, f"/v1/users/{user_id}/tokens", permissions=["records.read"])
        assert answer.status_code == 403
    assert (await create(client, limited, f"/v1/users/{other.user_id}/tokens")).status_code == 403
    own = await create(client, limited, f"/v1/users/{limited.user_id}/tokens")
    assert own.json()["permissions"] == ["tokens.write", "users.read"]


async def test_a_token_for_another_is_within_both(client: httpx.AsyncClient, roster: Roster) -> None:
    await add_caller(roster, "admin")
    desk = await add_caller(roster, holding=["tokens.write", "users.read"])
    reader = await add_caller(roster, holding=["users.read"])
    path = f"/v1/users/{reader.user_id}/tokens"
    # What the user gains later is not for a token that somebody else may hold.
    assert (await create(client, desk, path)).json()["permissions"] == ["users.read"]
    refused = await create(client, desk, path, permissions=["tokens.write"])
    assert (refused.status_code, refused.json()["field"]) == (409, "permissions")
    assert refused.json()["detail"] == "The user does not have tokens.write, so no token of theirs can."
    viewer = await add_caller(roster, "viewer")
    assert (await create(client, desk, f"/v1/users/{viewer.user_id}/tokens")).status_code == 403


async def test_only_who_may_do_everything_issues_an_open_token_for_another(
    client: httpx.AsyncClient, roster: Roster
) -> None:
    admin = await add_caller(roster, "admin")
    nobody = await add_caller(roster)
    made = await create(client, admin, f"/v1/users/{nobody.user_id}/tokens")
    assert made.json()["permissions"] is None
    assert made.headers["location"] == f"/v1/tokens/{made.json()['id']}"
    limited = await add_caller(roster, "admin", permissions=PERMISSIONS)
    assert (await create(client, limited, f"/v1/users/{nobody.user_id}/tokens")).json()["permissions"] == []


async def test_a_token_made_by_a_token_ends_no_later(client: httpx.AsyncClient, roster: Roster) -> None:
    token = await add_caller(roster, "admin", lifetime=timedelta(hours=1))
    ends = datetime.fromisoformat(
        (await client.get("/v1/me/tokens", headers=token.headers)).json()["items"][0]["expires_at"]
    )
    made = datetime.fromisoformat((await create(client, token)).json()["expires_at"])
    assert made == ends
    later = await create(client, token, expires_at=(ends + timedelta(minutes=1)).isoformat())
    assert (later.status_code, later.json()["errors"][0]["pointer"]) == (422, "/expires_at")
    over = await create(client, token, expires_at="2020-01-01T00:00:00Z")
    assert (over.status_code, over.json()["errors"][0]["pointer"]) == (422, "/expires_at")
    session = await add_caller(roster, "admin", kind="session", lifetime=timedelta(hours=1))
    assert (await create(client, session)).json()["expires_at"] is None


@pytest.mark.parametrize(
    "body", [{"permissions": ["users.burn"]}, {"permissions": "users.read"}, {"name": ""}, {"kind": "session"}]
)
async def test_what_no_token_can_be_is_refused(client: httpx.AsyncClient, roster: Roster, body: dict[str, Any]) -> None:
    admin = await add_caller(roster, "admin")
    assert (await create(client, admin, **body)).status_code == 422


async def test_a_user_who_is_away_or_has_many_gets_none(
    client: httpx.AsyncClient, roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, away = await add_caller(roster, "admin"), await add_caller(roster)
    assert (await create(client, admin, "/v1/users/999999999/tokens")).status_code == 404
    await elsewhere(roster, User, away.user_id, active=False)
    refused = await create(client, admin, f"/v1/users/{away.user_id}/tokens")
    assert (refused.status_code, "not active" in refused.json()["detail"]) == (409, True)
    monkeypatch.setattr("service.tokens.actions.MOST_TOKENS", 1)
    refused = await create(client, admin)
    assert (refused.status_code, "revoke one first" in refused.json()["detail"]) == (409, True)


async def test_a_change_of_password_can_end_the_other_sessions(roster: Roster) -> None:
    async def work(session: Any) -> tuple[int, list[str]]:
        user_id = await add_user(session)
        kept, *_ = [
            await issue(session, user_id=user_id, kind=kind, name="test")
            for kind in ("session", "session", "token", "link")
        ]
        count = await revoke_all(session, user_id, kinds=["session", "link"], except_id=kept.id)
        left = await session.scalars(select(Token.kind).where(Token.user_id == user_id, Token.revoked_at.is_(None)))
        return count, sorted(left)

    assert await roster.database.units.run(work) == (2, ["session", "token"])


async def test_tokens_that_ended_long_ago_are_forgotten(roster: Roster) -> None:
    async def work(session: Any) -> tuple[int, int]:
        user_id = await add_user(session)
        for lifetime in (timedelta(days=-31), timedelta(days=-29), None):
            await issue(session, user_id=user_id, kind="session", name="test", lifetime=lifetime)
        return await forget_ended(session, timedelta(days=30)), await forget_ended(session, timedelta(days=30))

    assert await roster.database.units.run(work) == (1, 0)
