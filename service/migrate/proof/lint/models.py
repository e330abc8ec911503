"""What the models map: tables and their columns, now and in the code of a commit."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import MetaData

from service.migrate.proof.revisions import git

_NOT_COLUMNS = ("relationship", "association_proxy", "declared_attr", "column_property", "synonym", "ClassVar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The columns that the models map, by table."""

    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has_table(self, table: str) -> bool:
        return table in self.tables

    def has(self, table: str, column: str) -> bool:
        return column in self.tables.get(table, ())


def of_metadata(metadata: MetaData) -> Mapped:
    """What the models map now."""
    return Mapped(
        tables={
            table.fullname.removeprefix("public."): frozenset(each.name for each in table.columns)
            for table in metadata.tables.values()
        }
    )


def modules_of(metadata: MetaData) -> frozenset[str]:
    """The modules that define classes of this metadata."""
    return frozenset(
        name
        for name, module in sys.modules.copy().items()
        for each in list(getattr(module, "__dict__", {}).values())
        if isinstance(each, type) and each.__module__ == name and vars(each).get("__table__") is not None
        if getattr(each, "metadata", None) is metadata
    )


def at_commit(folder: Path, commit: str) -> Mapped:
    """What the models of a commit map, as far as their text tells: tables, attributes, and columns of mixins."""
    root = Path(git(folder, commit, "rev-parse", "--show-toplevel").strip())
    listed = git(
        root, commit, "grep", "-l", "-E", r"__tablename__|Table\(|mapped_column|Mapped\[", commit, "--", "*.py"
    )
    tables: dict[str, set[str]] = {}
    mixed: set[str] = set()
    for line in listed.splitlines():
        for table, columns in _declared(git(root, commit, "show", line)):
            (tables.setdefault(table, set()) if table else mixed).update(columns)
    # A mixin's columns may be in any table: a column counts as mapped where in doubt.
    return Mapped(tables={table: frozenset(columns | mixed) for table, columns in tables.items()})


def _declared(source: str) -> Iterator[tuple[str, set[str]]]:
    """Each class with its table's name, empty for a mixin, and its columns; and each Table(…)."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield _table_name(node), {name for each in node.body for name in _columns(each)}
        elif isinstance(node, ast.Call) and _called(node) == "Table" and node.args:
            columns = [each for each in node.args[1:] if isinstance(each, ast.Call) and _called(each) == "Column"]
            yield _text(node.args[0]), {_text(each.args[0]) for each in columns if each.args} - {""}


def _table_name(node: ast.ClassDef) -> str:
    for each in node.body:
        if isinstance(each, ast.Assign) and any(_text(target) == "__tablename__" for target in each.targets):
            return _text(each.value)
    return ""


def _columns(node: ast.stmt) -> Iterator[str]:
    """The column that an attribute of a class is mapped to: its first argument, else the attribute's name."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        if any(word in ast.unparse(node) for word in _NOT_COLUMNS) or "Mapped[" not in ast.unparse(node.annotation):
            return
        name, value = node.target.id, node.value
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name, value = node.targets[0].id, node.value
        if not isinstance(value, ast.Call) or _called(value) not in ("Column", "mapped_column"):
            return
    else:
        return
    first = value.args[0] if isinstance(value, ast.Call) and value.args else None
    yield (_text(first) if isinstance(first, ast.Constant) else "") or name


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
