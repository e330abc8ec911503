"""Layout rules: allowed imports, modules that may commit, files of a noun."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVICE = ROOT / "service"
MIGRATE = SERVICE / "migrate"
CORE = {"errors", "settings", "db", "models", "http"}
# The packages that each package may import; a folder that is not named here is a noun.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": {"errors"},
    "db": {"errors", "settings"},
    "models": {"db"},
    "password_hashing": {"errors", "settings"},
    "http": CORE | {"__version__"},
    "terminal": set(),
    "migrate": {"db", "terminal"},
    "naming": {"migrate", "__version__"},
    "schema_range": {"migrate"},
    "observability": CORE | {"migrate", "schema_range", "terminal", "__version__"},
    "console": CORE,
}
NOUNS = {each.name for each in SERVICE.iterdir() if (each / "__init__.py").exists()} - MAY_IMPORT.keys() - {"cli"}
# Which files of a noun may import another noun is tested below.
MAY_IMPORT |= dict.fromkeys(NOUNS, CORE | NOUNS | {"password_hashing"})
MAY_IMPORT["housekeeping"] = CORE | NOUNS
MAY_IMPORT["app"] = CORE | NOUNS | (MAY_IMPORT.keys() - {"cli", "__main__"}) | {"__version__"}
MAY_IMPORT["cli"] = MAY_IMPORT["app"] | {"app"}
MAY_IMPORT["__main__"] = {"cli"}
# The last is the driver's own COMMIT, which the two before it ask for.
# SQLAlchemy's adapter of SQLite carries out what the unit of work asks for.
MAY_COMMIT = ("service/db/uow.py", "service/migrate/", "service/db/sqlite/")

# The layers of service/migrate, top first: each imports the ones below it.
LAYERS = ("cli", "proof", "entrypoints", "run", "state", "plan", "operations", "dialects", "errors", "naming")
BELOW = {layer: set(LAYERS[at:]) for at, layer in enumerate(LAYERS)} | {
    "ops": {"plan", "operations", "dialects", "naming"},
    "__main__": {"cli", "entrypoints", "plan"},
}

# Parsing all of each module would take a second; the linter and the formatter see to it that no other form is in use.
IMPORT = re.compile(r"^[ \t]*((?:from service[.\w]* import|import service\b) *(?:\([^)]*\)|.*))", re.MULTILINE)
COMMITS = {"commit", "begin", "begin_nested", "sessionmaker", "async_sessionmaker"}

SOURCES = {path: path.read_text() for path in sorted(SERVICE.rglob("*.py"))}


@cache
def imported(module: Path) -> list[list[str]]:
    """What a module imports of the service, as the parts of its name below `service`."""
    return imported_by(SOURCES.get(module) or module.read_text())


def imported_by(source: str) -> list[list[str]]:
    names: list[str] = []
    for node in ast.parse("\n".join(IMPORT.findall(source))).body:
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{each.name}" for each in node.names]
    return [name.split(".")[1:] or ["service"] for name in names]


def mentioned(source: str) -> set[str]:
    """Every name that a module imports, reads or calls, as a variable or an attribute."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.name)
    return names


def parts(module: Path) -> tuple[str, ...]:
    return module.relative_to(SERVICE).with_suffix("").parts


def relative(module: Path) -> str:
    return str(module.relative_to(ROOT))


def test_imports_go_one_way() -> None:
    offenders = [
        f"{relative(module)} imports {'.'.join(name)}"
        for module in SOURCES
        for name in imported(module)
        if name[0] not in {parts(module)[0], *MAY_IMPORT.get(parts(module)[0], set())}
    ]
    assert offenders == []


def test_the_layers_of_migrate_import_downwards() -> None:
    offenders = [
        f"{relative(module)} imports {'.'.join(name)}"
        for module in MIGRATE.rglob("*.py")
        for name in imported(module)
        if name[0] == "migrate" and name[1] not in BELOW.get(parts(module)[1], set())
    ]
    assert offenders == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {parts(module) for module in SOURCES}
    # What is imported is a module, or a name inside one.
    graph = {
        parts(module): {tuple(name) if tuple(name) in modules else tuple(name[:-1]) for name in imported(module)}
        for module in SOURCES
    }
    assert tuple(TopologicalSorter(graph).static_order())


def test_a_module_states_its_purpose_in_one_line() -> None:
    first = {module: source.partition("\n")[0] for module, source in SOURCES.items()}
    stated = re.compile(r'""".+\.(""")?')
    assert [relative(module) for module, line in first.items() if not stated.fullmatch(line)] == []


def test_no_module_is_longer_than_300_lines() -> None:
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    assert [relative(each) for each in files if len(each.read_text().splitlines()) > 300] == []


def test_only_the_unit_of_work_and_migrations_commit() -> None:
    offenders = [
        f"{relative(module)} names {', '.join(found)}"
        for module, source in SOURCES.items()
        if not relative(module).startswith(MAY_COMMIT)
        # Most modules have none of these words in their text.
        if any(each in source for each in COMMITS) and (found := sorted(mentioned(source) & COMMITS))
    ]
    assert offenders == []


def test_the_check_of_commits_sees_plain_names_and_aliases() -> None:
    assert "sessionmaker" in mentioned("sessionmaker(engine)")
    assert "sessionmaker" in mentioned("from sqlalchemy.orm import sessionmaker as make")
    assert "commit" in mentioned("done = session.commit; done()")


def test_the_check_of_imports_sees_each_form() -> None:
    source = """
import service, service.app as made  # and a note
import services
from service import __version__
if TYPE_CHECKING:
    from service.db import (
        engine,
        pool as connections,
    )
    from service.errors import NotFound as Missing, Stale
"""
    assert [".".join(name) for name in imported_by(source)] == [
        "service",
        "app",
        "__version__",
        "db.engine",
        "db.pool",
        "errors.NotFound",
        "errors.Stale",
    ]


def test_a_noun_holds_at_most_four_files_and_meets_others_in_its_actions() -> None:
    files = [file for noun in sorted(NOUNS) for file in sorted((SERVICE / noun).glob("*.py"))]
    known = {"__init__", "handlers", "schemas", "queries", "actions", "transfer"}
    assert [relative(file) for file in files if file.stem not in known] == []
    assert [noun for noun in NOUNS if not (ROOT / "tests" / noun).is_dir()] == []
    offenders = [
        f"{relative(file)} imports {'.'.join(name)}"
        for file in files
        for name in imported(file)
        if name[0] in NOUNS - {parts(file)[0]} and not (file.stem == "actions" and name[1] in {"queries", "actions"})
    ]
    assert offenders == []


def test_revisions_import_nothing_that_changes_with_the_code() -> None:
    versions = (ROOT / "alembic" / "versions").glob("*.py")
    assert {name[0] for each in versions for name in imported(each)} <= {"migrate"}
    assert {name[0] for name in imported(ROOT / "alembic" / "env.py")} <= {
        "db",
        "migrate",
        "models",
        "naming",
        "settings",
    }


def test_the_folder_of_revisions_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
