import io

import msgspec
import pytest
from rich.console import Console

from bench.report import Report, markdown, print_tables
from tests.programs import run
from tests.project.files import ROOT

TINY = ("--users=100", "--employees=20", "--rounds=1", "--seconds=0.01", "--connections=4", "--workers=1")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def report(request: pytest.FixtureRequest) -> Report:
    """A tiny run on one database."""
    database = request.param
    if database == "postgresql":
        database = request.getfixturevalue("postgres_admin_url")
    done = run("bench", "--json", f"--database={database}", *TINY, cwd=ROOT, forking=True)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=Report)


@pytest.mark.slow
def test_every_operation_is_measured_for_every_rival_and_answered_rightly(report: Report) -> None:
    (part,) = report.databases
    loads = ["get", "get-token", "page", "deep-page", "links", "post", "patch"]
    measured = {(each.operation, each.rival) for each in part.figures}
    assert measured >= {(load, rival) for load in loads for rival in ("service", "floor", "usual")}
    assert [each for each in part.figures if each.failed and each.rival != "usual"] == []
    assert all(each.per_second for each in part.figures)


@pytest.mark.slow
def test_every_figure_of_the_service_stands_beside_the_floor(report: Report) -> None:
    (part,) = report.databases
    service = [each for each in part.figures if each.rival == "service"]
    assert all(each.rate_to_floor is not None for each in service)
    assert len(part.bars) >= 4


@pytest.mark.slow
def test_prints_tables_for_a_person_and_for_a_page(report: Report) -> None:
    terminal = io.StringIO()
    print_tables(report, Console(file=terminal, width=140))
    assert "GET one user" in terminal.getvalue()
    assert "| GET one user | service |" in markdown(report)
