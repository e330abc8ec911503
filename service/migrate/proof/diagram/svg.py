"""A diagram as one SVG file without scripts or outside requests, for light and dark pages."""

import re
from collections.abc import Iterator
from html import escape

from service.migrate.proof.diagram.placing import HEAD, MARGIN, ROW, Box, placed
from service.migrate.proof.diagram.schema import Column, Mark, Relation, Schema

_STYLE = """
.page{fill:#ffffff}.box{fill:#ffffff;stroke:#8c959f}.head{fill:#f6f8fa;stroke:#8c959f}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328}
.name{font:600 13px system-ui,sans-serif}.type,.key{fill:#656d76}.line{fill:none;stroke:#8c959f;stroke-width:1.4}
.head.added,.row.added{fill:#dafbe1}.head.changed,.row.changed{fill:#fff8c5}.head.removed,.row.removed{fill:#ffebe9}
.line.added{stroke:#1a7f37}.line.removed{stroke:#cf222e;stroke-dasharray:5 4}
text.removed{text-decoration:line-through}
@media (prefers-color-scheme:dark){
.page{fill:#0d1117}.box{fill:#0d1117;stroke:#484f58}.head{fill:#161b22;stroke:#484f58}
text{fill:#e6edf3}.type,.key{fill:#8d96a0}.line{stroke:#6e7681}
.head.added,.row.added{fill:#12361f}.head.changed,.row.changed{fill:#3b2e08}.head.removed,.row.removed{fill:#48191c}
.line.added{stroke:#3fb950}.line.removed{stroke:#f85149}}
"""
_SIGNS = {Mark.SAME: "", Mark.ADDED: "+ ", Mark.CHANGED: "~ ", Mark.REMOVED: "- "}


def drawn(schema: Schema, title: str) -> str:
    """The diagram's file; `title` is read by screen readers."""
    return _svg(schema, title, f"<style>{_STYLE}</style>")


def embedded(schema: Schema, title: str) -> str:
    """The diagram for a page that has its style."""
    return _svg(schema, title, "")


def style(scope: str) -> str:
    """The style of diagrams inside of the elements that the selector `scope` selects."""
    rules = re.compile(r"(?<![@\w-])([.\w][^{}@]*)\{(?=[^{}]*\})")
    return rules.sub(lambda rule: ",".join(f"{scope} {each.strip()}" for each in rule[1].split(",")) + "{", _STYLE)


def _svg(schema: Schema, title: str, style: str) -> str:
    boxes = placed(schema)
    width = max((each.x + each.width for each in boxes.values()), default=0) + MARGIN + 30
    height = max((each.y + each.height for each in boxes.values()), default=0) + MARGIN
    lines = [line for each in schema.relations for line in _relation(each, boxes)]
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'role="img">'
        ),
        f"<title>{escape(title)}</title>",
        style,
        f'<rect class="page" width="{width}" height="{height}"/>',
        *lines,
        *(line for each in boxes.values() for line in _box(each)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box) -> Iterator[str]:
    table = box.table
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6"/>'
    yield f'<rect class="head {table.mark}" x="{box.x}" y="{box.y}" width="{box.width}" height="{HEAD}" rx="6"/>'
    yield f'<text class="name {table.mark}" x="{box.x + 12}" y="{box.y + 20}">{escape(table.name)}</text>'
    for at, column in enumerate(table.columns):
        yield from _row(box, column, box.y + HEAD + ROW * at)


def _row(box: Box, column: Column, y: int) -> Iterator[str]:
    if column.mark is not Mark.SAME:
        place = f'x="{box.x + 1}" y="{y + 1}" width="{box.width - 2}" height="{ROW}"'
        yield f'<rect class="row {column.mark}" {place}/>'
    key = "◆" if column.is_key else "→" if column.references else ""
    nullable = " null" if column.is_nullable else ""
    yield f'<text class="key" x="{box.x + 10}" y="{y + 15}">{key}</text>'
    name = escape(f"{_SIGNS[column.mark]}{column.name}")
    yield f'<text class="{column.mark}" x="{box.x + 28}" y="{y + 15}">{name}</text>'
    kind = escape(f"{column.type}{nullable}")
    yield f'<text class="type" x="{box.x + box.width - 10}" y="{y + 15}" text-anchor="end">{kind}</text>'


def _relation(relation: Relation, boxes: dict[str, Box]) -> Iterator[str]:
    """A curve from the referring column to the referred one, with a crow's foot where there may be many rows."""
    source, target = boxes.get(relation.table), boxes.get(relation.referred)
    if source is None or target is None:
        return
    y1, y2 = source.row(relation.columns[0]), target.row(relation.referred_columns[0])
    if target.x < source.x:
        x1, x2, out, back = source.x, target.x + target.width, -1, 1
    elif target.x > source.x:
        x1, x2, out, back = source.x + source.width, target.x, 1, -1
    else:
        x1, x2, out, back = source.x + source.width, target.x + target.width, 1, 1
    bend = max(40, abs(x1 - x2) // 2)
    path = f"M{x1} {y1}C{x1 + out * bend} {y1} {x2 + back * bend} {y2} {x2} {y2}"
    label = escape(f"{relation.table}.{', '.join(relation.columns)} → {relation.referred}")
    yield f'<path class="line {relation.mark}" d="{path}"><title>{label}</title></path>'
    foot = "" if relation.is_unique else f"M{x1} {y1 - 5}L{x1 + out * 9} {y1}L{x1} {y1 + 5}"
    end = x2 + back * 7
    bar = f"M{end} {y2 - 5}L{end} {y2 + 5}" if relation.is_required else _circle(end, y2)
    yield f'<path class="line {relation.mark}" d="{foot}{bar}"/>'


def _circle(x: int, y: int) -> str:
    return f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"
