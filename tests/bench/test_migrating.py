"""Upgrade and downgrade of every operation under HTTP traffic: no failed request, no lost write."""

import io

import msgspec
import pytest
from rich.console import Console

from bench.migrating import report as tables
from bench.migrating.report import Measured, Report
from bench.migrating.scenarios import SCENARIOS
from tests.programs import run
from tests.project.files import ROOT

PLAIN = "rename_table"
TINY = ("--quick", "--rows=1000", "--workers=1", "--connections=2", "--pause-seconds=0.05", "--no-fsync", "--json")


@pytest.fixture(scope="module")
def report() -> Report:
    # Its status tells whether times were kept too, which on a busy machine says nothing.
    done = run("bench.migrating", *TINY, f"--plain-only={PLAIN}", cwd=ROOT, forking=True, timeout=600)
    assert done.stdout, done.stderr
    return msgspec.json.decode(done.stdout, type=Report)


def measured(report: Report, style: str) -> list[Measured]:
    (size,) = report.sizes
    return [each for each in size.measured if each.style == style]


@pytest.mark.slow
def test_no_request_fails_and_nothing_is_lost(report: Report) -> None:
    ours = measured(report, "ours")
    assert [each.operation for each in ours] == [scenario.name for scenario in SCENARIOS]
    assert {each.operation: each.failures for each in ours if each.failed} == {}
    assert {each.operation: each.lost for each in ours if each.lost} == {}
    assert all(each.requests for each in ours)


@pytest.mark.slow
def test_the_figures_are_shown_as_tables_and_as_markdown(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=200)
    monkeypatch.setattr(tables, "Console", lambda **_: console)
    tables.print_tables(report)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    written = tables.markdown(report)
    for text in (shown, written):
        assert "rename_column" in text
        assert "confirmed writes lost" in text


@pytest.mark.slow
def test_the_plain_style_is_measured_beside(report: Report) -> None:
    (plain,) = measured(report, "plain")
    assert plain.operation == PLAIN
    # The service knows the old name alone.
    assert plain.failed > 0
