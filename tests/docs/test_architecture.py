import importlib.util
from types import ModuleType

import pytest

from tests.project.files import ROOT, read


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs/pictures/architecture.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_arrow_of_the_picture_leads_up(drawing: ModuleType) -> None:
    row = {name: at for at, names in enumerate(drawing.ROWS) for name in names}
    assert [arrow for arrow in drawing.imports() if row[arrow[0]] >= row[arrow[1]]] == []


def test_the_picture_is_the_one_that_the_imports_make(drawing: ModuleType) -> None:
    assert read("docs/pictures/architecture.svg") == drawing.draw(), "run: python docs/pictures/architecture.py"


def test_a_package_that_the_picture_leaves_out_is_a_noun(drawing: ModuleType) -> None:
    packages = {each.parent.name for each in (ROOT / "service").glob("*/__init__.py")}
    drawn = {name.partition(".")[0] for row in drawing.ROWS for name in row}
    nouns = {each.parent.name for each in (ROOT / "service").glob("*/handlers.py")}
    assert packages <= drawn | nouns
