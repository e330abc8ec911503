"""What browsers are told: CORS, which is off unless origins are set, and the headers of every response."""

import httpx
import pytest

from service.app import create_app
from service.errors import Misconfigured
from service.settings import Settings

PAGE = "https://app.example.org"
PREFLIGHT = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization"}


def client_for(*origins: str) -> httpx.AsyncClient:
    app = create_app(Settings(cors_origins=origins))
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def told(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control") or name == "vary"
    }


@pytest.mark.parametrize("origin", [None, PAGE])
async def test_without_origins_no_response_mentions_cors(origin: str | None) -> None:
    async with client_for() as client:
        for method, path in (("GET", "/livez"), ("OPTIONS", "/v1/users"), ("GET", "/nowhere")):
            answer = await client.request(method, path, headers=PREFLIGHT | ({"origin": origin} if origin else {}))
            assert told(answer) == {}, path


async def test_a_page_of_an_allowed_origin_reads_responses_and_errors() -> None:
    async with client_for(PAGE) as client:
        for path in ("/livez", "/nowhere", "/v1//users"):
            answer = await client.get(path, headers={"origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert answer.headers["vary"] == "Origin"
            assert "etag" in answer.headers["access-control-expose-headers"].split(", ")
            assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_is_answered_without_a_token() -> None:
    async with client_for(PAGE) as client:
        answer = await client.options("/v1/users/1", headers=PREFLIGHT | {"origin": PAGE})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "PATCH" in answer.headers["access-control-allow-methods"].split(", ")
        assert {"authorization", "if-match", "idempotency-key"} <= {
            *answer.headers["access-control-allow-headers"].split(", ")
        }
        plain = await client.options("/v1/users/1", headers={"origin": PAGE})
        assert "access-control-allow-methods" not in plain.headers
        assert plain.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example.org",
        f"{PAGE}.evil.example",
        f"{PAGE}:8443",
        "null",
        PAGE.upper(),
        "",
    ],
)
async def test_other_origins_are_told_nothing(origin: str) -> None:
    async with client_for(PAGE) as client:
        for method in ("GET", "OPTIONS"):
            answer = await client.request(method, "/livez", headers=PREFLIGHT | {"origin": origin})
            assert told(answer) == {"vary": "Origin"}


async def test_two_origins_are_none() -> None:
    async with client_for(PAGE) as client:
        answer = await client.get("/livez", headers=[("origin", PAGE), ("origin", PAGE)])
        assert told(answer) == {"vary": "Origin"}


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.org", "https://app.example.org/", "ftp://a.b", "https://*.example.org"]
)
def test_what_is_no_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(Misconfigured, match=r"ROSTER_CORS_ORIGINS .* is not an origin such as https://"):
        Settings.from_env({"ROSTER_CORS_ORIGINS": f"{PAGE},{origin}"})
    assert Settings.from_env({"ROSTER_CORS_ORIGINS": f" {PAGE.upper()} , http://[::1]:8080"}).cors_origins == (
        PAGE,
        "http://[::1]:8080",
    )


async def test_every_response_is_for_its_caller_alone() -> None:
    async with client_for() as client:
        for path in ("/livez", "/nowhere", "/openapi.json", "/docs"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert len(headers.get_list("content-security-policy")) == 1
        assert (await client.get("/nowhere")).headers["cache-control"] == "no-store"


async def test_a_page_that_the_browser_kept_keeps_its_headers() -> None:
    async with client_for() as client:
        for path in ("/docs", "/password", "/setup", "/openapi.json"):
            first = await client.get(path)
            again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
            assert again.status_code == 304
            for name in ("content-security-policy", "cache-control", "referrer-policy", "x-content-type-options"):
                assert again.headers.get(name) == first.headers.get(name), f"{path}: {name}"
