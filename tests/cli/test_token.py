"""`roster token`, beside a service that runs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.http.auth.token_text import is_token
from tests import loopback
from tests.cli.servers import serving
from tests.conftest import copy_of


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments, "--database", url])


def listed(url: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(url, "list", "--json", *options).stdout)
    return found


@pytest.mark.slow
def test_the_first_token_is_made_used_listed_and_revoked(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    with serving(url, tmp_path / "log") as (base, _):
        assert loopback.get(f"{base}/v1/users").status_code == 200
        made = run(url, "create", "--role=admin", "--name=laptop", f"--server={base}/")
        text = made.stdout.strip()
        assert (made.exit_code, is_token(text)) == (0, True)
        # What is printed beside it is a command that works.
        curl = made.stderr.splitlines()[-1]
        assert curl == f'Try: curl -s {base}/v1/me/tokens -H "Authorization: Bearer {text}"'
        headers = {"authorization": f"Bearer {text}"}
        assert loopback.get(f"{base}/v1/users", headers=headers).json()["items"][0]["email"] == "ann@localhost"
        assert_within_a_second(f"{base}/v1/users", {}, 401)
        [token] = listed(url)
        assert (token["email"], token["name"], token["permissions"]) == ("ann@localhost", "laptop", None)
        assert text not in str(token)
        assert run(url, "revoke", str(token["id"])).stdout == f"Token {token['id']} is revoked.\n"
        assert_within_a_second(f"{base}/v1/users", headers, 401)
    assert text not in (tmp_path / "log").read_text()
    assert listed(url) == []
    assert len(listed(url, "--all", "--user=ANN@localhost")) == 1


def assert_within_a_second(address: str, headers: dict[str, str], status: int) -> None:
    """What another process changed counts in a second at the latest; the rest is for a busy machine."""
    deadline = time.monotonic() + 2
    while loopback.get(address, headers=headers).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_mistake_is_one_line_and_stores_nothing(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    mistakes = {
        ("--name=x",): "No user has the email ann@localhost; give them a role, as in --role admin",
        ("--name=x", "--user=eve@example.org"): "No user has the email eve@example.org.",
        ("--name=x", "--role=king"): "There is no role king.",
        ("--name=x", "--role=viewer", "--permission=users.write"): "does not have users.write",
        ("--name=x", "--permission=users.burn"): "--permission 'users.burn' is none of users.read, ",
        ("--name=",): "--name is ''; 1 to 100 characters on one line are expected.",
        ("--name=x", "--expires-in=soon"): "'soon' is no lifetime: 12h, 90d or 52w is expected.",
    }
    for arguments, said in mistakes.items():
        refused = run(url, "create", *arguments)
        assert (refused.exit_code in (1, 2), said in refused.stderr, refused.stdout) == (True, True, ""), refused.stderr
    assert listed(url, "--all") == []


def test_a_user_with_the_operators_email_gets_no_role_unasked(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    # Such as an editor could make, with a password of their own.
    assert run(url, "create", "--role=viewer", "--name=mine").exit_code == 0
    refused = run(url, "create", "--role=admin", "--name=laptop")
    assert refused.stderr == (
        "Error: The user ann@localhost exists and does not have the role admin; say --user ann@localhost to give it.\n"
    )
    assert [each["name"] for each in listed(url)] == ["mine"]
    assert run(url, "create", "--role=admin", "--name=laptop", "--user=ann@localhost").exit_code == 0
    assert run(url, "create", "--role=admin", "--name=again").exit_code == 0


def test_a_token_on_postgresql_may_be_limited_and_end(fresh_postgres_url: str) -> None:
    made = run(
        fresh_postgres_url, "create", "--role=viewer", "--name=ci", "--permission=users.read", "--expires-in=90d"
    )
    assert (made.exit_code, is_token(made.stdout.strip())) == (0, True)
    [token] = [each for each in listed(fresh_postgres_url) if each["name"] == "ci"]
    assert (token["permissions"], token["expires_at"] is None) == (["users.read"], False)
