from pathlib import Path

import pytest

from tests import loopback
from tests.cli.servers import serving
from tests.conftest import copy_of
from tests.http.browser import look

pytestmark = pytest.mark.slow


async def test_the_page_shows_every_operation_with_no_outside_request_and_no_error(
    sqlite_template_url: str, tmp_path: Path
) -> None:
    url = copy_of(sqlite_template_url, tmp_path)
    with serving(url, tmp_path / "log") as (base, _):
        described = loopback.get(f"{base}/openapi.json").json()
        seen = look(f"{base}/docs", tmp_path)
    assert seen.console == []
    assert [address for address in seen.requests if not address.startswith(f"{base}/")] == []
    assert f"{base}/openapi.json" in seen.requests
    operations = sum(len(path.keys() - {"parameters"}) for path in described["paths"].values())
    assert seen.dom.count('class="opblock ') == operations


async def test_a_page_that_asks_elsewhere_or_fails_is_noticed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<script>console.error("bad")</script>')
    assert '"bad"' in look(bad.as_uri(), tmp_path).console[0]
