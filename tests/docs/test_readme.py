from pathlib import Path

from tests.cli.servers import serving
from tests.docs.consoles import Session, section, steps
from tests.project.files import ROOT, read


def test_every_answer_that_the_readme_shows_is_given(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/roster.db"
    Session(tmp_path).run("roster db upgrade")
    with serving(url, tmp_path / "log") as (base, _):
        session = Session(tmp_path)
        shown = list(steps(section(read("README.md"), "Try it").replace("http://127.0.0.1:8000", base)))
        assert len(shown) == 4
        for step in shown:
            output = session.run(step.command)
            assert step.is_met_by(output), f"$ {step.command}\n{output}"


def test_every_page_that_the_readme_names_is_there() -> None:
    named = {target for target in _links(read("README.md")) if not target.startswith("http")}
    assert {target for target in named if not (ROOT / target).exists()} == set()


def _links(page: str) -> list[str]:
    return [part.partition(")")[0] for part in page.split("](")[1:]]
