import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.entrypoints import commands
from tests.migrate.project import Project, copied

BASE = """
ops.create_table("books", sa.Column("id", sa.Integer(), nullable=False),
                 sa.PrimaryKeyConstraint("id", name="pk_books"))
"""
NASTY = "<script>alert(1)</script> | `x` @someone\n# not a heading"
FINDING = {"revision": "0002_change", "database": "sqlite", "phase": "downgrade", "what": NASTY}
VERIFY = {
    "verified": [{"revision": "0002_change", "database": "sqlite", "rows": 20, "seconds": 1.5, "findings": [FINDING]}],
    "findings": [FINDING],
}
LINT = {
    "revisions": ["0002_change"],
    "findings": [
        {
            "rule": "blocking-index",
            "level": "error",
            "revision": "0002_change",
            "what": "CREATE INDEX blocks writes",
            "file": "alembic/versions/0002_change.py",
            "line": 14,
            "database": "postgresql",
            "phase": "upgrade",
            "effect": "writes wait",
            "advice": "ops.create_index(…)",
        }
    ],
    "suppressed": 1,
}
SEEN = {"requests": 1200, "writes": 300, "p99_ms": 21.4, "longest_ms": 44.0, "write_longest_ms": 40.0}
REHEARSAL = {
    "revisions": ["0002_change"],
    "previous": "0123abc",
    "unused": {},
    "phases": [
        {
            "database": "postgresql",
            "rows": 1000,
            "phase": phase,
            "revision": revision,
            "seen": SEEN,
            "locks": {"waited_ms": waited, "held_ms": 3.5},
            "failed": 0,
            "lost": 0,
            "seconds": 5.0,
            "p99_ratio": 1.5,
        }
        for phase, revision, waited in (("control", "", 0.0), ("expand", "0002_change", 51.3))
    ],
    "findings": [],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with copied(tmp_path_factory.mktemp("report")) as project:
        project.clear()
        project.add_safe("0001_base", after=None, up=BASE)
        project.add_safe("0002_change", after="0001_base", up='ops.add_column("books", sa.Column("isbn", sa.Text()))')
        yield project


def written(folder: Path, **documents: Any) -> list[str]:
    """The options that name these documents."""
    options = []
    for name, document in documents.items():
        file = folder / f"{name}.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        options += [f"--{name}", str(file)]
    return options


def reported(*arguments: str, status: int) -> Result:
    result = CliRunner().invoke(main, ["db", "report", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output
    return result


def plan_of(url: str) -> str:
    return CliRunner().invoke(main, ["db", "plan", "--json", "--database", url]).stdout


def test_a_report_has_the_documents_of_all_tools(own: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/report.db"
    commands.upgrade(url, "0001_base")
    documents = written(tmp_path, verify=VERIFY, lint=LINT, plan=plan_of(url), rehearse=REHEARSAL)
    text = reported(*documents, "--html", str(tmp_path / "report.html"), status=1).stdout
    assert text.splitlines()[:6] == [
        "## Migrations: 2 findings",
        "",
        "- **verify**: 1 revision up, down and up again on SQLite, 20 rows",
        "- **lint**: 1 revision examined, 1 suppressed",
        text.splitlines()[4],
        "- **rehearse**: 2,400 requests, 0 failed, 0 writes lost",
    ]
    assert text.splitlines()[4].startswith("- **plan**: 1 action on sqlite:///")
    assert (
        "| verify | 0002\\_change | SQLite, downgrade | \\<script\\>alert(1)\\</script\\> \\| \\`x\\` @<!-- -->" in text
    )
    assert 'text isbn "null, added"' in text
    assert "| expand 0002\\_change | 1,200 | 0 | 0 | 21 | 1.50 | 44 | 51 | 4 |" in text


def test_the_page_needs_nothing_else(own: Project, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    reported(*written(tmp_path, verify=VERIFY, lint=LINT, rehearse=REHEARSAL), "--html", str(file), status=1)
    page = file.read_text()
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=|url\(|@import", page) == []
    # Namespaces are no requests.
    assert set(re.findall(r"https?://[^\"]+", page)) == {"http://www.w3.org/2000/svg"}
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 3
    for each in drawings:
        ET.fromstring(each)  # noqa: S314 - the text is this test's own
    for verdict in (
        "<h1>2 findings</h1>",
        "&lt;script&gt;alert(1)",
        "alembic/versions/0002_change.py:14",
        ">51.3</text>",
    ):
        assert verdict in page
    # The diagram's style holds inside of the diagram alone.
    assert ".diagram text{" in page
    assert not re.search(r"(?m)^text\{", page)


def test_what_was_not_measured_is_no_zero(own: Project, tmp_path: Path) -> None:
    plain: dict[str, Any] = {
        "phase": "upgrade",
        "revision": "0002_change",
        "title": "A plain revision.",
        "mode": "",
        "tables": [],
    }
    plain |= {"blocks": "", "rows": None, "is_exact": True, "seconds": None, "stall_seconds": 0.0}
    plan = {"database": "sqlite:///a.db", "planned": [plain], "obstacles": [], "blockers": [], "tables": []}
    on_sqlite = json.dumps(REHEARSAL).replace("postgresql", "sqlite")
    documents = written(tmp_path, plan=plan, rehearse=on_sqlite)
    file = tmp_path / "report.html"
    text = reported(*documents, "--html", str(file), status=0).stdout
    assert "- **plan**: 1 action on sqlite:///a.db, of unknown duration\n" in text
    assert "| expand 0002\\_change | 1,200 | 0 | 0 | 21 | 1.50 | 44 |  |  |" in text
    page = file.read_text()
    assert "upgrade <code>0002_change</code>: 1 action, of unknown duration" in page
    assert "<h3>Tables</h3>" not in page


def test_nothing_found_is_a_good_report(own: Project, tmp_path: Path) -> None:
    text = reported(*written(tmp_path, lint={**LINT, "findings": []}), status=0).stdout
    assert text.startswith("## Migrations: no finding\n")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is not what `lint --json` prints: Input data was truncated."),
        ("[]", "is not what `lint --json` prints: Expected `object`, got `array`."),
        ('{"revisions": ["1"]}', "is not what `lint --json` prints: Object missing required field `findings`."),
    ],
)
def test_what_is_no_document_is_refused(own: Project, tmp_path: Path, document: str, said: str) -> None:
    options = written(tmp_path, lint=document)
    assert reported(*options, status=2).stderr == f"Error: {options[1]} {said}\n"


def test_a_report_of_nothing_is_refused(own: Project, tmp_path: Path) -> None:
    assert "There is nothing to report" in reported(status=2).stderr
    missing = str(tmp_path / "none.json")
    assert (
        reported("--plan", missing, status=2).stderr == f"Error: {missing} cannot be read: No such file or directory.\n"
    )


def test_verification_prints_nothing_else(own: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/quiet.db"
    commands.upgrade(url)
    assert commands.differences(url)
    assert capfd.readouterr().out == ""
