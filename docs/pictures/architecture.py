"""Draws docs/pictures/architecture.svg from the imports of service/: `python docs/pictures/architecture.py`."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
PICTURE = Path(__file__).with_suffix(".svg")

# Rows from the top: an arrow leads from what imports to what is imported, never to a row above.
ROWS: list[dict[str, str]] = [
    {"cli": "roster …", "alembic": "env.py, revisions"},
    {"app": "wiring", "migrate.cli": "the commands of any project"},
    {"nouns": "users, records, …: a folder each", "observability": "logs, metrics, probes", "console": "pages"},
    {"migrate.proof": "what a revision does, before it is merged"},
    {"http": "binding, problems, pages, transfer", "migrate.entrypoints": "Alembic and Python"},
    {"models": "the schema", "migrate.run": "sessions, phases, backfill, lock", "password_hashing": ""},
    {"migrate.ops": "what a revision file calls", "migrate.state": "ledger, drift, trash, compatibility"},
    {"migrate.plan": "what a revision comes to"},
    {"migrate.operations": "one file per ops function"},
    {"migrate.dialects": "SQL text and catalogs"},
    {"migrate.errors, naming": ""},
    {"db": "engine, unit of work, reader"},
    {"errors, settings": "", "terminal": "output, progress, escapes"},
]
WIDTH, HEIGHT, GAP, LEFT = 250, 46, 30, 20
COLUMNS = tuple(LEFT + at * (WIDTH + 60) for at in range(3))
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>'
)
_IMPORT = re.compile(r"^[ \t]*((?:from service[.\w]* import|import service\b) *(?:\([^)]*\)|.*))", re.MULTILINE)
_MIDDLE = ("migrate", "observability")
_RIGHT = ("alembic", "console", "migrate.ops", "password_hashing", "terminal")


def box_of(name: str, nouns: set[str]) -> str | None:
    """The box that a module belongs to; None for what is too small to be drawn."""
    first, *rest = name.split(".")
    if first in nouns:
        return "nouns"
    if first in ("errors", "settings"):
        return "errors, settings"
    if first == "migrate":
        layer = "".join(rest[:1])
        layer = "errors, naming" if layer in ("errors", "naming") else layer
        return f"migrate.{layer}" if layer not in ("", "__main__") else "migrate.cli"
    return first if any(first in row for row in ROWS) else None


@cache
def imports() -> dict[tuple[str, str], int]:
    """How many modules of one box import which other box."""
    known = {name.partition(".")[0] for row in ROWS for name in row}
    nouns = {each.name for each in SERVICE.iterdir() if (each / "handlers.py").exists()} - known
    arrows: dict[tuple[str, str], int] = defaultdict(int)
    files = [(path, ".".join(path.relative_to(SERVICE).with_suffix("").parts)) for path in SERVICE.rglob("*.py")]
    files += [(path, "alembic") for path in (ROOT / "alembic").rglob("*.py")]
    for path, name in sorted(files):
        source = "alembic" if name == "alembic" else box_of(name, nouns)
        targets = {box_of(each, nouns) for each in _imported(path.read_text())}
        for target in sorted(filter(None, targets)):
            if source and target != source:
                arrows[source, target] += 1
    return arrows


def _imported(source: str) -> Iterator[str]:
    for node in ast.parse("\n".join(_IMPORT.findall(source))).body:
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        else:
            continue
        yield from (name.removeprefix("service.") for name in names if name.startswith("service."))


def shown(arrows: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The arrows without those that a longer way says already: a picture of all would be a hatching."""
    below: dict[str, set[str]] = defaultdict(set)
    for source, target in arrows:
        below[source].add(target)

    def reach(start: str, seen: frozenset[str] = frozenset()) -> set[str]:
        return below[start] | {far for near in below[start] - seen for far in reach(near, seen | {start})}

    return sorted(
        (source, target)
        for source, target in arrows
        if not any(target in reach(other) for other in below[source] - {target})
    )


def draw() -> str:
    """Return the picture as SVG text."""
    arrows = imports()
    places = {name: (_column(name), at) for at, row in enumerate(ROWS) for name in row}
    width, height = COLUMNS[-1] + WIDTH + LEFT, len(ROWS) * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        "<title>The packages of service/ and what they import</title>",
        _HEAD,
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_arrow(places[source], places[target], set(places.values())) for source, target in shown(arrows)),
        *(_box(name, about, places[name]) for row in ROWS for name, about in row.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _column(name: str) -> int:
    if name.startswith(_RIGHT):
        return COLUMNS[2]
    return COLUMNS[1] if name.startswith(_MIDDLE) else COLUMNS[0]


def _top(row: int) -> int:
    return GAP + row * (HEIGHT + GAP)


def _box(name: str, about: str, place: tuple[int, int]) -> str:
    x, y = place[0], _top(place[1])
    colour = "#ddf4ff" if name.startswith("migrate") else "#f6f8fa"
    middle = x + WIDTH // 2
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{colour}" stroke="#57606a"/>'
        f'<text x="{middle}" y="{y + (20 if about else 28)}" text-anchor="middle" font-size="15">{escape(name)}</text>'
        f'<text x="{middle}" y="{y + 37}" text-anchor="middle" font-size="11" fill="#57606a">{escape(about)}</text>'
    )


def _arrow(source: tuple[int, int], target: tuple[int, int], boxes: set[tuple[int, int]]) -> str:
    """A straight line down; between two columns where a box is in its way."""
    (x1, row1), (x2, row2) = source, target
    start, end = _top(row1) + HEIGHT, _top(row2)
    middle1, middle2 = x1 + WIDTH // 2, x2 + WIDTH // 2
    path = f"M{middle1} {start}L{middle2} {end}"
    if any((x, row) in boxes for row in range(row1 + 1, row2) for x in range(min(x1, x2), max(x1, x2) + 1)):
        lane = max(x1, x2) - 30 + 8 * (row2 % 3 - 1)
        path = f"M{middle1} {start}L{lane} {start + GAP}L{lane} {end - GAP}L{middle2} {end}"
    return f'<path d="{path}" fill="none" stroke="#57606a" marker-end="url(#head)"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw())
