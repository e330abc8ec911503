"""The page in a browser, where one is installed."""

from pathlib import Path

import pytest

from tests.cli.servers import serving
from tests.conftest import copy_of
from tests.http.browser import CHROMIUM, look


@pytest.mark.slow
async def test_the_page_takes_the_token_out_of_the_address_and_shows_the_form(
    sqlite_template_url: str, tmp_path: Path
) -> None:
    if not CHROMIUM:
        return
    url = copy_of(sqlite_template_url, tmp_path)
    with serving(url, tmp_path / "log") as (base, _):
        with_token = look(f"{base}/password#roster_x", tmp_path)
        without = look(f"{base}/password", tmp_path)
    assert (with_token.console, without.console) == ([], [])
    assert '<form id="form">' in with_token.dom
    assert '<form id="form" hidden="">' in without.dom
    assert "copy the whole link" in without.dom
    assert [each for each in with_token.requests if not each.startswith(f"{base}/")] == []
    assert "roster_x" not in (tmp_path / "log").read_text()
