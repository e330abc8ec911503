"""A diagram as Mermaid's erDiagram, which GitHub and GitLab draw inside Markdown."""

import re
from collections.abc import Iterator

from service.migrate.proof.diagram.schema import Column, Mark, Relation, Schema

# https://mermaid.js.org/syntax/entityRelationshipDiagram.html
_CLASSES = {
    Mark.ADDED: "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    Mark.CHANGED: "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    Mark.REMOVED: "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
}


def written(schema: Schema) -> str:
    """The diagram's text."""
    return "\n".join(_lines(schema)) + "\n"


def _lines(schema: Schema) -> Iterator[str]:
    yield "erDiagram"
    for relation in schema.relations:
        yield f"    {_entity(relation.referred)} {_line(relation)} {_entity(relation.table)} : {_label(relation)}"
    for table in schema.tables:
        style = "" if table.mark is Mark.SAME else f":::{table.mark}"
        yield f"    {_entity(table.name)}{style} {{"
        yield from (f"        {_attribute(each)}" for each in table.columns)
        yield "    }"
    for mark, style in _CLASSES.items():
        if any(each.mark is mark for each in schema.tables):
            yield f"    classDef {mark} {style}"


def _entity(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f'"{_plain(name)}"'


def _line(relation: Relation) -> str:
    """One referred row, or none, to many rows or to one."""
    return f"{'||' if relation.is_required else '|o'}--{'o|' if relation.is_unique else 'o{'}"


def _label(relation: Relation) -> str:
    mark = "" if relation.mark is Mark.SAME else f" ({relation.mark})"
    return f'"{_plain(", ".join(relation.columns))}{mark}"'


def _attribute(column: Column) -> str:
    keys = ["PK"] if column.is_key else []
    keys += ["FK"] if column.references else []
    keys += ["UK"] if column.is_unique else []
    notes = ["null"] if column.is_nullable else []
    notes += [] if column.mark is Mark.SAME else [str(column.mark)]
    name = _word(column.name)
    notes += [] if name == column.name else [_plain(column.name)]
    parts = [_word(column.type), name, ", ".join(keys), f'"{", ".join(notes)}"' if notes else ""]
    return " ".join(part for part in parts if part)


def _word(text: str) -> str:
    """A name or a type in the letters that Mermaid takes for an attribute."""
    word = re.sub(r"[^\w()\[\]-]+", "_", text.replace(", ", "-").replace(",", "-"), flags=re.ASCII).strip("_")
    return word if re.match(r"[A-Za-z_]", word) else f"_{word}"


def _plain(text: str) -> str:
    return text.replace('"', "'").replace("\n", " ")
