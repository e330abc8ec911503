"""`roster users` and `roster roles`, on both databases."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from service.app import Roster
from service.cli import main
from tests.callers import add_caller
from tests.roles.test_roles import LAST


async def run(url: str, *arguments: str) -> Result:
    # The command line runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--database", url])


async def printed(url: str, *arguments: str) -> Any:
    answer = await run(url, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


@pytest.fixture
def url(shared_url: str, roster: Roster) -> str:
    """The shared database, which is emptied afterwards."""
    return shared_url


async def test_users_are_created_listed_and_deactivated(url: str, client: httpx.AsyncClient) -> None:
    created = await printed(url, "users", "create", "ann@example.org", "--name", "Ann Lee", "--role", "viewer")
    assert (await client.get(f"/v1/users/{created['id']}")).json() == created
    assert (created["roles"], created["version"]) == (["viewer"], 2)
    await printed(url, "users", "create", "bob@example.org", "--name", "Bob", "--external-id", "b")
    for options, names in (
        ([], ["Ann Lee", "Bob"]),
        (["--role", "viewer"], ["Ann Lee"]),
        (["--q", "BOB"], ["Bob"]),
        (["--inactive"], []),
        (["--limit", "1"], ["Ann Lee"]),
    ):
        found = await printed(url, "users", "list", *options)
        assert [each["name"] for each in found["items"]] == names, options
    gone = await run(url, "users", "deactivate", "ANN@example.org")
    assert gone.stdout == f"{created['id']}  ann@example.org  Ann Lee  viewer  inactive\n"
    assert (await run(url, "users", "list", "--role", "admin")).stdout == "There is no such user.\n"


async def test_roles_are_created_changed_given_taken_and_deleted(url: str, client: httpx.AsyncClient) -> None:
    await printed(url, "users", "create", "ann@example.org", "--name", "Ann Lee")
    created = await printed(url, "roles", "create", "zoo", "--permission", "users.read", "--description", "Animals.")
    changed = await printed(url, "roles", "update", "zoo", "--permission", "records.read")
    assert changed == created | {"permissions": ["records.read"], "version": 2, "updated_at": changed["updated_at"]}
    assert (await run(url, "roles", "show", "zoo")).stdout == "zoo: records.read\n"
    assert (await client.get("/v1/roles/zoo")).json() == changed
    given = await run(url, "roles", "give", "zoo", "ann@example.org")
    assert given.stdout == "ann@example.org has the role zoo.\n"
    in_use = await run(url, "roles", "delete", "zoo")
    assert (in_use.exit_code, in_use.stderr) == (1, "Error: 1 user has the role zoo; take it from them first.\n")
    await printed(url, "roles", "take", "zoo", "ann@example.org")
    await printed(url, "roles", "delete", "zoo")
    names = [each["name"] for each in (await printed(url, "roles", "list"))["items"]]
    assert names == ["admin", "editor", "viewer"]
    assert "viewer (built in): directory.read, records.read" in (await run(url, "roles", "list")).stdout


async def test_the_last_administrator_stays(url: str, roster: Roster, client: httpx.AsyncClient) -> None:
    admin = await add_caller(roster, "admin")
    email = (await client.get(f"/v1/users/{admin.user_id}", headers=admin.headers)).json()["email"]
    for arguments in (["users", "deactivate", email], ["roles", "take", "admin", email]):
        refused = await run(url, *arguments)
        assert (refused.exit_code, refused.stderr) == (1, f"Error: {LAST}\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["users", "create", "ann", "--name", "Ann"], 2, "Error: email: The value is blank, holds a character"),
        (["users", "create", "a@b.c", "--name", "Ann", "--role", "zoo"], 1, "Error: There is no role zoo."),
        (["users", "deactivate", "a@b.c"], 1, "Error: No user has the email a@b.c."),
        (["roles", "create", "Zoo"], 2, "Error: name: The value is blank, holds a character"),
        (
            ["roles", "create", "zoo", "--permission", "users.fly"],
            2,
            "Error: Invalid value for '--permission': 'users.fly' is none of users.read, ",
        ),
        (["roles", "create", "admin"], 1, "Error: There is a role admin already; `roster roles update admin`"),
        (["roles", "update", "zoo"], 1, "Error: There is no role zoo."),
        (["roles", "update", "admin"], 1, "Error: The role admin is built in: it cannot be changed or deleted."),
        (["roles", "show", "zoo"], 1, "Error: There is no role zoo."),
        (["roles", "give", "zoo", "a@b.c"], 1, "Error: No user has the email a@b.c."),
    ],
)
async def test_a_mistake_gets_one_line(
    sqlite_template_url: str, arguments: list[str], status: int, message: str
) -> None:
    answer = await run(sqlite_template_url, *arguments)
    assert (answer.exit_code, "Traceback" in answer.output) == (status, False)
    assert answer.stderr.splitlines()[-1].startswith(message), answer.stderr
    assert (await printed(sqlite_template_url, "users", "list"))["items"] == []
