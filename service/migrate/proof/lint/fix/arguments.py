"""The arguments of a directive, as the source text that the author wrote."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

# The parameters that Alembic's directives take by position.
PARAMETERS = {
    "add_column": ("table_name", "column"),
    "drop_column": ("table_name", "column_name"),
    "create_table": ("table_name",),
    "drop_table": ("table_name",),
    "rename_table": ("old_table_name", "new_table_name"),
    "create_index": ("index_name", "table_name", "columns"),
    "drop_index": ("index_name", "table_name"),
    "create_foreign_key": ("constraint_name", "source_table", "referent_table", "local_cols", "remote_cols"),
    "create_check_constraint": ("constraint_name", "table_name", "condition"),
    "create_unique_constraint": ("constraint_name", "table_name", "columns"),
    "drop_constraint": ("constraint_name", "table_name", "type_"),
    "alter_column": ("table_name", "column_name"),
}


class NotExact(Exception):
    """The directive has no safe operation that comes to the same, for the reason in the message."""


@dataclass(frozen=True, kw_only=True)
class Directive:
    """A call of `op.name(…)`; `items` are positional arguments behind the named ones."""

    name: str
    call: ast.Call
    given: dict[str, str]
    items: tuple[str, ...]
    source: str

    @property
    def line(self) -> int:
        return self.call.lineno

    def take(self, name: str) -> str:
        """The source of an argument; raises NotExact if it is missing or None."""
        found = self.given.get(name)
        if found is None or found == "None":
            raise NotExact(f"{name} is not given")
        return found

    def rest(self, *known: str) -> str:
        """The other keyword arguments, as they continue a list of arguments."""
        return "".join(f", {name}={text}" for name, text in self.given.items() if name not in known)

    def only(self, *known: str) -> None:
        """Raise NotExact for an argument that the safe operation does not have."""
        if others := [name for name in self.given if name not in known]:
            raise NotExact(f"{', '.join(others)} has no counterpart")


def read(call: ast.Call, source: str) -> Directive | None:
    """The directive of a call of `op`; `None` for another call."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="op"), attr=name) if name != "f":
            pass
        case _:
            return None
    names = PARAMETERS.get(name, ())
    texts = [text_of(each, source) for each in call.args]
    given = dict(zip(names, texts, strict=False))
    given |= {each.arg: text_of(each.value, source) for each in call.keywords if each.arg}
    return Directive(name=name, call=call, given=given, items=tuple(texts[len(names) :]), source=source)


def text_of(node: ast.expr, source: str) -> str:
    """The source of an expression, with op.f("name") as the name alone."""
    text = ast.get_source_segment(source, node) or ""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "op.f" and each.args:
            inner = ast.get_source_segment(source, each.args[0]) or ""
            text = text.replace(ast.get_source_segment(source, each) or "", inner)
    return text


def same(one: str, other: str) -> bool:
    """Whether two sources are one value."""
    try:
        return bool(ast.literal_eval(one) == ast.literal_eval(other))
    except (ValueError, SyntaxError):
        return one == other


def reverse(downgrade: Sequence[Directive], name: str, **wanted: str) -> Directive:
    """The directive of downgrade() that restores what is dropped; raises NotExact if there is none."""
    for each in downgrade:
        if each.name == name and all(same(each.given.get(key, ""), text) for key, text in wanted.items()):
            return each
    raise NotExact(f"downgrade() has no op.{name} with its definition")
