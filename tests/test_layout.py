"""The arrows of the house: who may import whom, who commits, what a noun holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICE = ROOT / "service"
CORE = {"errors", "settings", "db", "models", "http"}
# What each part may import beside itself; a folder that is not named here is a noun.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": {"errors"},
    "db": {"errors", "settings"},
    "models": {"db"},
    "http": CORE,
    "migrate": {"errors", "settings", "db", "models"},
    "observability": CORE | {"migrate"},
    "console": CORE,
}
NOUNS = {each.name for each in SERVICE.iterdir() if (each / "__init__.py").exists()} - MAY_IMPORT.keys() - {"cli"}
MAY_IMPORT |= dict.fromkeys(NOUNS, CORE)
MAY_IMPORT["app"] = CORE | NOUNS | {"migrate", "observability", "console"}
MAY_IMPORT["cli"] = MAY_IMPORT["app"] | {"app"}
MAY_IMPORT["__main__"] = {"cli"}
MAY_COMMIT = ("service/db/uow.py", "service/migrate/")

MODULES = sorted(SERVICE.rglob("*.py"))
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def imported(module: Path) -> Iterator[list[str]]:
    """Yield what a module imports of the service, as the parts of its name below `service`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        else:
            continue
        yield from (name.split(".")[1:] for name in names if name.startswith("service."))


def part(module: Path) -> str:
    return module.relative_to(SERVICE).parts[0].removesuffix(".py")


@every_module
def test_arrows_point_one_way(module: Path) -> None:
    allowed = {part(module), "__version__", *MAY_IMPORT.get(part(module), set())}
    assert {name[0] for name in imported(module)} <= allowed


@every_module
def test_a_module_says_what_it_is_and_holds_one_idea(module: Path) -> None:
    source = module.read_text()
    first, *_ = (ast.get_docstring(ast.parse(source)) or "").splitlines() or [""]
    assert first.endswith(".")
    assert len(source.splitlines()) <= 300


@every_module
def test_only_the_unit_of_work_and_migrations_commit(module: Path) -> None:
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    if not str(module.relative_to(ROOT)).startswith(MAY_COMMIT):
        assert calls.isdisjoint({"commit", "begin", "begin_nested", "sessionmaker"})


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_a_noun_holds_at_most_four_files_and_meets_others_in_its_actions(noun: str) -> None:
    files = {each.stem: each for each in (SERVICE / noun).glob("*.py")}
    assert set(files) <= {"__init__", "handlers", "schemas", "queries", "actions"}
    assert (ROOT / "tests" / noun).is_dir()
    for stem, file in files.items():
        others = [name for name in imported(file) if name[0] in NOUNS - {noun}]
        assert all(stem == "actions" and name[1] == "queries" for name in others)


def test_revisions_import_nothing_that_changes_with_the_code() -> None:
    versions = (ROOT / "alembic" / "versions").glob("*.py")
    assert {name[0] for each in versions for name in imported(each)} <= {"migrate"}
    assert {name[0] for name in imported(ROOT / "alembic" / "env.py")} <= {"db", "migrate", "models"}


def test_the_folder_of_revisions_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_no_file_of_the_tests_is_too_long() -> None:
    assert [each.name for each in (ROOT / "tests").rglob("*.py") if len(each.read_text().splitlines()) > 300] == []
