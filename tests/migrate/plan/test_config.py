"""Which alembic.ini is read, and what is said of one that cannot be."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config

from service.migrate import naming
from service.migrate.errors import Unusable
from service.migrate.plan.config import configuration, configuration_file, forget, scripts
from service.naming import use_roster
from service.schema_range import NEWEST
from tests.project.files import ROOT

INI = "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n"
TOML = '[tool.alembic]\nscript_location = "%(here)s/migrations"\n'
REVISION = "revision = {!r}\ndown_revision = None\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of revisions beside an alembic.ini, in a process that has no default."""
    versions = tmp_path / "library/migrations/versions"
    versions.mkdir(parents=True)
    (versions / "one.py").write_text(REVISION.format("5d3a1f00c4b2"))
    (tmp_path / "library/alembic.ini").write_text(INI)
    monkeypatch.delenv("ALEMBIC_CONFIG", raising=False)
    naming.use_files()
    yield tmp_path / "library"
    use_roster()
    forget()


def test_a_named_file_goes_before_the_default_the_variable_and_the_working_folder(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("default", "variable"):
        shutil.copytree(library, tmp_path / name)
    monkeypatch.chdir(library)
    assert configuration_file() == Path("alembic.ini")
    monkeypatch.setenv("ALEMBIC_CONFIG", str(tmp_path / "variable/alembic.ini"))
    assert configuration_file() == tmp_path / "variable/alembic.ini"
    naming.use_files(tmp_path / "none/alembic.ini", tmp_path / "default/alembic.ini")
    assert configuration_file() == tmp_path / "default/alembic.ini"
    assert configuration_file("alembic.ini") == Path("alembic.ini")


def test_two_projects_in_one_process_have_each_their_own_revisions(library: Path) -> None:
    assert scripts(library / "alembic.ini").get_heads() == ["5d3a1f00c4b2"]
    assert scripts(ROOT / "alembic.ini").get_heads() == [NEWEST]
    assert scripts(Config(library / "alembic.ini")).get_heads() == ["5d3a1f00c4b2"]


def test_revisions_are_read_again_when_a_file_has_changed(library: Path) -> None:
    ini, versions = library / "alembic.ini", library / "migrations/versions"
    # Younger files may still change without another modification time, and are read each time.
    for file in (ini, versions / "one.py"):
        os.utime(file, (1, 1))
    # The lock of an editor.
    (versions / ".#one.py").symlink_to("nobody@nowhere.1")
    known = scripts(ini)
    assert scripts(ini) is known
    (versions / "two.py").write_text(REVISION.format("two").replace("None", "'5d3a1f00c4b2'"))
    assert scripts(ini).get_heads() == ["two"]
    os.utime(versions / "two.py", (1, 1))
    assert scripts(ini) is scripts(ini)
    (versions / "two.py").write_text(REVISION.format("six").replace("None", "'5d3a1f00c4b2'"))
    assert scripts(ini).get_heads() == ["six"]
    (versions / "two.py").unlink()
    assert scripts(ini).get_heads() == ["5d3a1f00c4b2"]


def test_a_config_object_keeps_its_options_and_its_attributes(library: Path) -> None:
    given = Config(library / "alembic.ini", attributes={"mine": 1})
    given.set_main_option("sqlalchemy.url", "sqlite:///mine.db")
    made = configuration(given, url="sqlite:///ours.db")
    assert made.get_main_option("sqlalchemy.url") == "sqlite:///mine.db"
    assert (made.attributes, given.attributes) == ({"mine": 1, "url": "sqlite:///ours.db"}, {"mine": 1})


def test_pyproject_holds_the_configuration_where_there_is_no_ini(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library / "alembic.ini").unlink()
    (library / "pyproject.toml").write_text(TOML)
    assert scripts(library / "pyproject.toml").get_heads() == ["5d3a1f00c4b2"]
    monkeypatch.chdir(library)
    assert scripts().get_heads() == ["5d3a1f00c4b2"]


def test_pyproject_beside_an_ini_is_read_where_it_configures_alembic(library: Path) -> None:
    for text in (
        '[tool.alembic]\nfile_template = "x"\n',
        "[ tool . 'alembic' ]\nfile_template = 'x'\n",
        '[tool]\nalembic.file_template = "x"\n',
        '[tool]\n"alembic" = { file_template = "x" }\n',
        'tool = { other = {}, alembic = { file_template = "x" } }\n',
    ):
        (library / "pyproject.toml").write_text(text)
        assert configuration(library / "alembic.ini").get_alembic_option("file_template") == "x", text
    (library / "pyproject.toml").write_text('[project]\ndependencies = ["alembic"]\n')
    assert configuration(library / "alembic.ini").toml_file_name is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[alembic]\n", r"alembic\.ini: No 'script_location' key found in configuration\.$"),
        ("script_location = x\n", r"alembic\.ini cannot be read: File contains no section headers\. .*\.$"),
        ("[alembic]\nscript_location = nowhere\n", r"alembic\.ini: Path doesn't exist: .*nowhere.*\.$"),
        ("[alembic]\nscript_location = %(this)s\n", r"alembic\.ini cannot be read: Bad value substitution: .*\.$"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(library: Path, text: str, sentence: str) -> None:
    (library / "alembic.ini").write_text(text)
    with pytest.raises(Unusable, match=sentence):
        scripts(library / "alembic.ini")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable, match=r"^There is no file none\.ini\. Name the project's alembic\.ini\.$"):
        configuration("none.ini")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unusable, match=rf"^There is no alembic\.ini in {tmp_path}\. Name the file, or run this in "):
        configuration()
    monkeypatch.setenv("ALEMBIC_CONFIG", "gone.ini")
    with pytest.raises(Unusable, match=r"^There is no file gone\.ini\. Correct ALEMBIC_CONFIG\.$"):
        configuration()
