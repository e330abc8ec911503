import shutil
from pathlib import Path

from tests.docs.consoles import Session, section, steps
from tests.docs.samples import DATA
from tests.project.files import read


def test_the_real_data_goes_in_as_the_readme_shows(tmp_path: Path) -> None:
    for file in DATA.glob("*.csv"):
        shutil.copy(file, tmp_path)
    session = Session(tmp_path)
    page = read("README.md")
    shown = [
        *steps(section(page, "Files in, files out")),
        *steps(section(page, "A schema that changes while people use it")),
    ]
    assert len(shown) == 9
    for step in shown:
        output = session.run(step.command)
        assert step.is_met_by(output), f"$ {step.command}\n{output}"
