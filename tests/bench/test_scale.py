"""The bench of sizes and callers, and its plots."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.scale import Part, Point, plot, table
from tests.programs import run
from tests.project.files import ROOT

PART = Part(
    backend="sqlite",
    version="SQLite 3",
    points=[
        Point(operation=name, users=users, callers=callers, per_second=1000 / callers, p99_ms=callers, failed=0)
        for name in ("get", "post")
        for callers in (1, 16)
        for users in (200, 2000)
    ],
)


def test_the_table_has_a_row_for_each_operation_and_number_of_callers() -> None:
    lines = table(PART).splitlines()
    assert lines[2] == "|  | callers | 200: per second | 2,000: per second | 200: p99 ms | 2,000: p99 ms |"
    assert lines[4:6] == ["| GET one | 1 | 1,000 | 1,000 | 1.0 | 1.0 |", "|  | 16 | 62 | 62 | 16.0 | 16.0 |"]
    assert len(lines) == 8


def test_the_plot_has_a_line_for_each_size_in_each_panel() -> None:
    found = ET.fromstring(plot(PART))  # noqa: S314 - our own text
    name = "{http://www.w3.org/2000/svg}"
    assert len(found.findall(f"{name}polyline")) == 2 * 2 * 2
    texts = [each.text for each in found.findall(f"{name}text")]
    assert {"200 users", "2,000 users", "GET one, per second", "POST, p99 ms", "16"} <= {*texts}


@pytest.mark.slow
def test_measures_every_point(tmp_path: Path) -> None:
    options = ["--database=sqlite", "--users=200", "--callers=2", "--seconds=0.01", "--rounds=1", "--workers=1"]
    done = run("bench.scale", "--json", *options, f"--svg={tmp_path}", cwd=ROOT, forking=True)
    assert done.returncode == 0, done.stderr
    [part] = json.loads(done.stdout)["databases"]
    assert [each["operation"] for each in part["points"]] == ["get", "page", "deep-page", "post", "patch"]
    assert all(each["failed"] == 0 < each["per_second"] for each in part["points"])
    assert (tmp_path / "scale-sqlite.svg").exists()
