"""Logins against the limit of argon2, and pages of the login history."""

import json

import pytest

from tests.programs import run
from tests.project.files import ROOT


@pytest.mark.slow
def test_sessions_stand_beside_the_bare_hash_and_every_page_is_read() -> None:
    done = run("bench.logins", "--json", "--database=sqlite", "--rows=5000", "--seconds=0.3", cwd=ROOT, forking=True)
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)["databases"]
    assert (figures["backend"], figures["rows"]) == ("sqlite", 5000)
    assert figures["sessions"] > 0
    assert figures["ratio"] == pytest.approx(figures["sessions"] / figures["hashes"], abs=0.1)
    assert figures["pages"].keys() == {
        *("first", "middle", "deep"),
        *("of an account", "of an address", "of an outcome, deep"),
    }
