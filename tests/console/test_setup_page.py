import re

import httpx


async def test_the_page_asks_nothing_of_other_hosts_and_carries_no_script_of_its_own(client: httpx.AsyncClient) -> None:
    page = await client.get("/setup")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script>|<style| on[a-z]+=| style=", page.text)
    references = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(references) == 3
    for path in references:
        assert path.startswith("/")
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/setup/other.js")).status_code == 404


async def test_the_script_sends_what_the_operation_takes(client: httpx.AsyncClient) -> None:
    found = re.search(r'script src="([^"]*)"', (await client.get("/setup")).text)
    assert found
    script = (await client.get(found[1])).text
    taken = (await client.get("/openapi.json")).json()["components"]["schemas"]["Setup"]["required"]
    assert 'fetch("/v1/setup"' in script
    assert [each for each in taken if not re.search(rf"\b{each}: ", script)] == []
    assert "http:" not in script
