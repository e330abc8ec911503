import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from service.http import docs

SWAGGER = Path(docs.__file__).parent / "swagger"
MEDIA_TYPES = {"link": {"text/css; charset=utf-8", "image/svg+xml"}, "script": {"text/javascript; charset=utf-8"}}


class Page(HTMLParser):
    """What a page refers to, and what it carries in itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[tuple[str, str]] = []
        self.attributes: set[str] = set()
        self.inline = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.attributes |= {name for name, _ in attrs}
        self.references += [(tag, value or "") for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()


@pytest.fixture
async def page(client: httpx.AsyncClient) -> Page:
    return Page((await client.get("/docs")).text)


async def test_the_page_refers_to_nothing_but_files_that_are_served_here(client: httpx.AsyncClient, page: Page) -> None:
    assert {tag for tag, _ in page.references} == {"a", "link", "script"}
    for tag, path in page.references:
        assert re.fullmatch(r"/(?!/)[A-Za-z0-9./-]+", path)
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] in MEDIA_TYPES.get(tag, {"application/json"})
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_carries_no_script_or_style_of_its_own(client: httpx.AsyncClient, page: Page) -> None:
    assert page.inline == ""
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    policy = (await client.get("/docs")).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")


async def test_what_starts_swagger_ui_names_no_other_address(client: httpx.AsyncClient, page: Page) -> None:
    start = next(path for tag, path in page.references if tag == "script" and "start" in path)
    script = (await client.get(start)).text
    assert "//" not in re.sub(r"(?m)^\s*//.*$", "", script)
    assert 'url: "/openapi.json"' in script
    assert "validatorUrl: null" in script


async def test_files_are_kept_for_ever_and_change_their_name_with_their_content(
    client: httpx.AsyncClient, page: Page
) -> None:
    [bundle] = [path for tag, path in page.references if "bundle" in path]
    answer = await client.get(bundle, headers={"Accept-Encoding": "identity"})
    assert answer.content == (SWAGGER / "swagger-ui-bundle.js").read_bytes()
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"].strip('"') in bundle
    other = docs.Asset("swagger-ui-bundle.js", b"changed")
    assert f"/docs/{other.name}" != bundle


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/favicon.ico"])
async def test_what_keeps_its_name_is_asked_for_again(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert "immutable" not in answer.headers["cache-control"]
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("br, GZIP;q=0.5", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.0, *", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_files_are_compressed_for_those_who_take_it(
    client: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    async with client.stream("GET", "/docs", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)
    assert b"<title>Roster API</title>" in (gzip.decompress(raw) if encoding else raw)


async def test_each_encoding_has_a_tag_of_its_own(client: httpx.AsyncClient) -> None:
    packed = await client.get("/docs", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/docs", headers={"Accept-Encoding": "identity"})
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.text == plain.text


async def test_a_file_that_is_not_there_is_a_problem(client: httpx.AsyncClient) -> None:
    for path in ("/docs/swagger-ui.css", "/docs/..%2Fdocs.py", "/docs/LICENSE"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_head_tells_the_same_without_a_body(client: httpx.AsyncClient) -> None:
    shown, head = await client.get("/docs"), await client.head("/docs")
    assert head.content == b""
    for each in (shown, head):
        del each.headers["x-request-id"]
    assert head.headers == shown.headers


def test_swagger_ui_comes_with_its_licence() -> None:
    assert "Apache License" in (SWAGGER / "LICENSE").read_text()
    assert "SmartBear" in (SWAGGER / "NOTICE").read_text()
