import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.cli.openapi import openapi_command


def test_prints_the_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(openapi_command)
    assert printed.exit_code == 0
    assert json.loads(printed.output)["openapi"] == "3.1.0"
    assert not list(tmp_path.iterdir())


async def test_writes_to_a_file_what_is_served(client: httpx.AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    written = CliRunner().invoke(openapi_command, ["-o", str(file)])
    assert (written.exit_code, written.output) == (0, "")
    assert json.loads(file.read_text()) == (await client.get("/openapi.json")).json()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    refused = CliRunner().invoke(openapi_command, ["-o", str(tmp_path)])
    assert refused.exit_code == 2
