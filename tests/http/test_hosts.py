"""Host: by DNS rebinding any web page could read a service on loopback as its own origin."""

from typing import Any

import httpx
import pytest

from service.app import Roster
from service.errors import Malformed, Misconfigured
from service.http.hosts import Hosts, read_authority
from service.http.problems import Misdirected
from service.settings import Settings
from tests.nouns import problem

LOOPBACK = [
    "localhost",
    "LocalHost:8000",
    "localhost.",
    "roster.localhost:1",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.255.3.4",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]:8000",
    "localhost:",
    f"localhost:{80:05000}",
]
FOREIGN = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evillocalhost",
    "evil.example:8000",
    "128.0.0.1",
    "0.0.0.1",
    "127.1",
    "[::]",
    "[::2]:80",
    "%6cocalhost",
]
MALFORMED = [
    "",
    " ",
    "a b",
    "localhost:port",
    "localhost:99999",
    "localhost:" + "9" * 5000,
    "localhost:80:80",
    "::1",
    "[::1",
    "[::g]",
    "[1:2]",
    "http://localhost",
    "localhost/",
    "user@localhost",
    "localhost, evil.example",
    "loc\u00e4lhost",
    "localhost:-1",
    "localhost:\u0661",
]
ALLOWED = {
    "api.example.org": ["api.example.org", "API.example.org:443", "api.example.org."],
    ".example.org": ["example.org", "a.example.org", "a.b.example.org:8000"],
    "*.example.org": ["a.example.org", "a.b.example.org"],
    "10.0.0.7": ["10.0.0.7:8000"],
    "[fd00::7]": ["[fd00::7]:8000", "[fd00:0::7]"],
    "a.test, b.test ,": ["a.test", "b.test"],
    "*": ["whatever.example"],
    "my_service": ["my_service:8000"],
}
REFUSED = {
    "api.example.org": ["example.org", "x.api.example.org", "api.example.org.evil.example"],
    ".example.org": ["badexample.org", "example.org.evil.example"],
    "*.example.org": ["example.org", ".example.org", "badexample.org"],
    "": ["api.example.org"],
}


def ask(hosts: Hosts, *values: str, version: str = "1.1", path: str = "/v1/users") -> None:
    hosts.check([each.encode("utf-8") for each in values], {"http_version": version, "path": path})


@pytest.mark.parametrize("host", LOOPBACK)
def test_names_of_loopback_are_served(host: str) -> None:
    hosts = Hosts()
    ask(hosts, host)
    ask(hosts, host)


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_other_names_are_not_and_the_setting_is_named(host: str, version: str) -> None:
    with pytest.raises(Misdirected, match=r"ROSTER_ALLOWED_HOSTS"):
        ask(Hosts(), host, version=version)


@pytest.mark.parametrize("host", MALFORMED)
@pytest.mark.parametrize("path", ["/v1/users", "/livez"])
def test_what_is_no_host_is_malformed(host: str, path: str) -> None:
    with pytest.raises(Malformed, match="Host is "):
        ask(Hosts(["*"]), host, path=path)


def test_there_is_one_host() -> None:
    with pytest.raises(Malformed, match="more than one Host"):
        ask(Hosts(), "localhost", "localhost")
    with pytest.raises(Malformed, match="has no Host"):
        ask(Hosts())
    ask(Hosts(), version="1.0")


@pytest.mark.parametrize(("setting", "host"), [(each, host) for each, hosts in ALLOWED.items() for host in hosts])
def test_the_setting_allows_names_domains_and_addresses(setting: str, host: str) -> None:
    ask(Hosts(Settings.from_env({"ROSTER_ALLOWED_HOSTS": setting}).allowed_hosts), host)


@pytest.mark.parametrize(("setting", "host"), [(each, host) for each, hosts in REFUSED.items() for host in hosts])
def test_the_setting_allows_nothing_else(setting: str, host: str) -> None:
    with pytest.raises(Misdirected):
        ask(Hosts(Settings.from_env({"ROSTER_ALLOWED_HOSTS": setting}).allowed_hosts), host)


@pytest.mark.parametrize("wrong", ["https://a.test", "a.test:8000", "a test", "a.*.test", "**", "/x", "a..test"])
def test_the_setting_says_what_it_takes(wrong: str) -> None:
    with pytest.raises(Misconfigured, match=r"ROSTER_ALLOWED_HOSTS is .* is not a host; names such as api\.example"):
        Settings.from_env({"ROSTER_ALLOWED_HOSTS": f"a.test,{wrong}"})


def test_reads_name_and_port() -> None:
    assert read_authority(b"A.test.:81") == ("a.test", 81)
    assert read_authority(b"[::0:1]", 443) == ("::1", 443)


def test_remembers_a_bounded_number_of_spellings() -> None:
    hosts = Hosts(["*"])
    for number in range(1100):
        ask(hosts, f"a{number}.test")
    assert len(hosts._remembered) == 1000


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/users", "/docs", "/openapi.json", "/metrics", "/nowhere", "/version"])
async def test_a_foreign_host_reads_and_changes_nothing(client: httpx.AsyncClient, method: str, path: str) -> None:
    body: Any = {"name": "Ann", "email": "ann@example.org"} if method == "POST" else None
    answer = await client.request(method, path, json=body, headers={"host": "evil.example:8000"})
    assert answer.status_code == 421
    if method != "HEAD":
        assert problem(answer) == {
            "type": "urn:roster:problem:misdirected-request",
            "title": "Misdirected Request",
            "status": 421,
            "detail": "This service does not answer for the host 'evil.example'; ROSTER_ALLOWED_HOSTS names the hosts "
            "besides localhost.",
        }
    assert (await client.get("/v1/users")).json()["items"] == []


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_may_name_the_replica_by_its_address(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"host": "10.1.2.3:8000"})).status_code == 200


async def test_a_scope_of_the_server_is_not_changed(roster: Roster) -> None:
    headers = ((b"host", b"localhost"),)
    scope = {"type": "http", "method": "HEAD", "path": "/livez", "raw_path": b"/livez", "query_string": b""}
    scope |= {"headers": headers, "scheme": "http", "http_version": "1.1", "root_path": "", "server": ("a", 1)}
    before = dict(scope)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    await roster(scope, receive, send)
    assert scope == before
