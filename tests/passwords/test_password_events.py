"""What the audit trail keeps of logins and passwords: who did it, and no secret."""

import httpx
from sqlalchemy import select

from service.app import Roster
from service.models import Event
from tests.conftest import Make
from tests.passwords.test_passwords import NEW, OLD, session, user
from tests.sessions.test_sessions import bearer


async def test_logins_and_passwords_are_events_without_secrets(
    roster: Roster, client: httpx.AsyncClient, make: Make
) -> None:
    ann = await user(client, make)
    token = await session(client)
    body = {"current_password": OLD, "new_password": NEW}
    assert (await client.put("/v1/me/password", headers=bearer(token), json=body)).status_code == 204
    assert (await client.delete("/v1/sessions/current", headers=bearer(token))).status_code == 204
    link = (await client.post(f"/v1/users/{ann['id']}/password-links")).json()["token"]
    used = await client.post("/v1/password-links", json={"token": link, "new_password": OLD})
    assert used.status_code == 204
    async with roster.database.reading.connect() as connection:
        events = (await connection.execute(select(Event.__table__).order_by(Event.id))).all()
    assert [(each.action, each.actor_id, each.via) for each in events] == [
        ("user.created", None, "api"),
        ("user.password-set", None, "api"),
        ("token.created", ann["id"], "api"),
        ("user.password-set", ann["id"], "api"),
        ("token.updated", ann["id"], "api"),
        ("token.created", None, "api"),
        ("token.updated", ann["id"], "api"),
        ("user.password-set", ann["id"], "api"),
    ]
    shown = " ".join(str(each) for each in events)
    assert not [each for each in (OLD, NEW, token, link, "argon2", "digest") if each in shown]
