"""`roster logins` and `roster password`, on both databases."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from service.app import Roster
from service.cli import main
from service.db import clock
from tests.conftest import Make
from tests.logins.test_limits import HOME, attempt, store
from tests.sessions.test_sessions import bearer, log_in


async def run(url: str, *arguments: str, stdin: str | None = None) -> Result:
    # The command line runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--database", url], input=stdin)


@pytest.fixture
def url(shared_url: str, roster: Roster) -> str:
    """The shared database, which is emptied afterwards."""
    return shared_url


async def test_lists_the_newest_first_and_filtered(url: str, roster: Roster) -> None:
    await store(roster, attempt(), "ok", "wrong", ago=86_400)
    await store(roster, attempt("eve\u202e@example.org", "2001:db8::1"), "throttled", ago=60)
    listed = await run(url, "logins", "list")
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 3)
    assert "  throttled  2001:db8::1  " in listed.stdout.splitlines()[0]
    assert f"  wrong      {HOME:<15}  " in listed.stdout.splitlines()[1]
    today = (clock.now() - timedelta(hours=1)).isoformat()
    for options, outcomes in (
        (["--since", today], ["throttled"]),
        (["--until", today], ["wrong", "ok"]),
        (["--address", "2001:0db8::0:1"], ["throttled"]),
        (["--outcome", "ok"], ["ok"]),
        (["--email", "ANN@example.org", "--limit", "1"], ["wrong"]),
    ):
        found = json.loads((await run(url, "logins", "list", "--json", *options)).stdout)
        assert [each["outcome"] for each in found["items"]] == outcomes, options
    nothing = await run(url, "logins", "list", "--outcome", "inactive")
    assert nothing.stdout == "There is no such login.\n"


async def test_lists_more_than_a_page(url: str, roster: Roster) -> None:
    await store(roster, attempt(), *["wrong"] * 250, ago=600)
    listed = await run(url, "logins", "list", "--limit", "230")
    assert len(set(listed.stdout.splitlines())) <= 230
    assert len(listed.stdout.splitlines()) == 230


async def test_prunes_what_is_older(url: str, roster: Roster) -> None:
    await store(roster, attempt(), "ok", "ok", ago=3 * 86_400)
    await store(roster, attempt(), "wrong", ago=60)
    pruned = await run(url, "logins", "prune", "--older-than", "2d")
    assert pruned.exit_code == 0, pruned.output
    assert pruned.stdout.endswith(": no partition dropped, 2 rows deleted.\n")
    again = json.loads((await run(url, "logins", "prune", "--older-than", "2d", "--json")).stdout)
    assert (again["partitions"], again["rows"]) == ([], 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prune", "--older-than", "400"], "'400' is no age; 400d (days), 12w (weeks) or 36h (hours) is expected."),
        (["prune", "--older-than", "0d"], "'0d' is no age"),
        (["prune"], "Missing option '--older-than'"),
        (["list", "--since", "soon"], "'soon' is no time; 2026-11-28 or 2026-11-28T12:00:00Z is expected."),
        (["list", "--since", "0001-01-01"], "'0001-01-01' is no time"),
        (["list", "--address", "home"], "Error: An IP address such as 203.0.113.9 or 2001:db8::1, or unknown, is"),
        (["list", "--email", "ann"], "Error: --email is 'ann', which is none."),
    ],
)
async def test_a_mistake_is_told_in_one_line(url: str, arguments: list[str], message: str) -> None:
    refused = await run(url, "logins", *arguments)
    assert refused.exit_code in (1, 2)
    assert message in refused.output
    assert "Traceback" not in refused.output


async def test_a_reset_prints_a_link_that_works_once(url: str, client: httpx.AsyncClient, make: Make) -> None:
    await make("users", email="ann@example.org")
    printed = await run(url, "password", "reset", "ANN@example.org", "--server", "https://roster.example.org/")
    assert printed.exit_code == 0, printed.output
    link = printed.stdout.splitlines()[1]
    assert link.startswith("https://roster.example.org/password#roster_")
    body: dict[str, Any] = {"token": link.partition("#")[2], "new_password": "correct horse battery"}
    assert (await client.post("/v1/password-links", json=body)).status_code == 204
    assert (await client.post("/v1/password-links", json=body)).status_code == 422
    assert (await log_in(client)).status_code == 201
    document = json.loads((await run(url, "password", "reset", "ann@example.org", "--json")).stdout)
    assert document.keys() == {"email", "url", "token", "expires_at"}


async def test_a_password_comes_from_standard_input(url: str, client: httpx.AsyncClient, make: Make) -> None:
    await make("users", email="ann@example.org")
    reset = ("password", "reset", "ann@example.org", "--stdin")
    assert (await run(url, *reset, stdin="correct horse battery\n")).exit_code == 0
    token = (await log_in(client)).json()["token"]
    assert (await run(url, *reset, stdin=" another horse \nmore")).exit_code == 0
    assert (await client.delete("/v1/sessions/current", headers=bearer(token))).status_code == 401
    assert (await log_in(client, " another horse ")).status_code == 201
    for wrong, message in (("short", "5 were given"), ("password1", "commonest"), ("", "0 were given")):
        refused = await run(url, *reset, stdin=wrong + "\n")
        assert refused.exit_code != 0
        assert message in refused.output
    unknown = await run(url, "password", "reset", "bob@example.org")
    assert (unknown.exit_code, unknown.output) == (1, "Error: No user has the email bob@example.org.\n")
