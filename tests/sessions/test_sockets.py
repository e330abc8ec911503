"""Logins at a running server of two processes behind a proxy."""

import re
from pathlib import Path

import httpx
import pytest

from tests import loopback
from tests.callers import add_caller
from tests.cli.servers import serving
from tests.conftest import copy_of, serving_in_process

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


@pytest.mark.slow
async def test_limits_hold_across_processes_and_no_secret_is_logged(sqlite_template_url: str, tmp_path: Path) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    async with serving_in_process(url) as roster:
        # Behind a trusted proxy the clients are on other machines, from which nothing is open without a token.
        admin = (await add_caller(roster, "admin")).headers
    settings = {
        "ROSTER_TRUSTED_PROXIES": "127.0.0.0/8",
        "ROSTER_ARGON2_MEMORY_KIB": "7168",
        "ROSTER_ARGON2_ITERATIONS": "1",
        "ROSTER_LOG_LEVEL": "debug",
    }
    with serving(url, tmp_path / "log", "--workers=2", **settings) as (base, _):

        def post(path: str, body: dict[str, str], address: str = "203.0.113.9") -> httpx.Response:
            # A connection of its own: the other process may take it.
            return loopback.post(
                f"{base}/v1{path}", json=body, headers=admin | {"x-forwarded-for": f"6.6.6.6, {address}"}
            )

        user = post("/users", {"name": "Ann", "email": "ann@example.org"}).json()
        answer = loopback.put(f"{base}/v1/users/{user['id']}/password", headers=admin, json={"new_password": PASSWORD})
        assert answer.status_code == 204
        login = {"email": "ann@example.org", "password": PASSWORD}
        wrong = [post("/sessions", login | {"password": WRONG}).status_code for _ in range(7)]
        assert wrong == [401] * 5 + [429] * 2
        assert post("/sessions", login).status_code == 429
        session = post("/sessions", login, "198.51.100.1")
        assert session.status_code == 201
        link = post(f"/users/{user['id']}/password-links", {}).json()
        history = loopback.get(f"{base}/v1/logins", headers=admin).json()["items"]
        metrics = loopback.get(f"{base}/metrics", headers=admin).text
    assert {each["address"] for each in history} == {"203.0.113.9", "198.51.100.1"}
    assert re.search(r'roster_logins_total\{outcome="wrong"\} 5.0', metrics)
    log = (tmp_path / "log").read_text()
    assert not [each for each in (PASSWORD, WRONG, session.json()["token"], link["token"], "argon2id") if each in log]
