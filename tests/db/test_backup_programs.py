"""Which of PostgreSQL's programs a backup uses: none older than the server, and the least new of the others."""

from pathlib import Path

import pytest

from service.db.backup.programs import for_server
from service.errors import RosterError

NEEDED = ("pg_dump", "pg_restore", "psql")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with programs of versions that no machine has, all on the PATH, the oldest first."""
    for version in ("91.4", "93.0", "92beta1"):
        folder = tmp_path / version
        folder.mkdir()
        for name in NEEDED:
            (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian 1)'\n")
            (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", ":".join(str(each) for each in sorted(tmp_path.iterdir())))
    return tmp_path


def test_the_least_new_program_that_is_new_enough_comes_first(path: Path) -> None:
    assert [each.version for each in for_server(92)] == ["92beta1", "93.0"]
    assert for_server(93)[0].path("pg_dump") == str(path / "93.0" / "pg_dump")


def test_a_folder_in_which_one_is_missing_is_left_out(path: Path) -> None:
    (path / "92beta1" / "psql").unlink()
    assert [each.version for each in for_server(92)] == ["93.0"]


def test_one_line_says_which_versions_there_are_and_what_to_install(path: Path) -> None:
    with pytest.raises(RosterError) as refused:
        for_server(94)
    told = str(refused.value)
    assert told.startswith("The server is PostgreSQL 94; pg_dump, pg_restore, psql of version 94 or newer are needed")
    assert f"91.4 in {path / '91.4'}" in told
    assert f"93.0 in {path / '93.0'}" in told
    assert told.endswith("Install postgresql-client-94, or put the folder that holds them first on the PATH.")
    assert "\n" not in told


def test_a_program_that_does_not_run_is_none(path: Path) -> None:
    for each in path.iterdir():
        (each / "pg_dump").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RosterError, match="version 94 or newer are needed"):
        for_server(94)
