"""The source of a revision with safe operations in place of directives; what is not a directive stays as it is."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from service.migrate.proof.lint.fix.arguments import Directive, NotExact, read
from service.migrate.proof.lint.fix.directives import Around, operation
from service.migrate.proof.lint.sql.schema import Schema

_IMPORT = "from service.migrate import ops"


class Refusal(NamedTuple):
    """Why a revision stays as it is: the line and the reason."""

    line: int
    reason: str


class Edit(NamedTuple):
    """A part of the source, from one position to another, that a text replaces."""

    start: int
    end: int
    text: str


class Rewriter:
    """Rewrites one revision; `refusals` is empty if the result has no directive left."""

    def __init__(self, source: str, schema: Schema) -> None:
        self.source = source
        self.refusals: list[Refusal] = []
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._schema = schema
        self._contract: list[str] = []
        self._uses_sa = False

    def result(self) -> str:
        """The new source; the old one if there is a refusal."""
        upgrade, downgrade = self._function("upgrade"), self._function("downgrade")
        if upgrade is None or downgrade is None or self._function("contract") is not None:
            self._refuse(1, "upgrade() or downgrade() is missing, or contract() is there")
            return self.source
        undone = list(self._directives(downgrade))
        self._refuse_others(downgrade)
        edits = [*self._of_upgrade(upgrade, Around(undone, self._schema))]
        self._uses_sa = any("sa." in each for each in (*self._contract, *(edit.text for edit in edits)))
        edits += [*self._of_imports(), self._of_downgrade(downgrade)]
        self._refuse_elsewhere(upgrade, downgrade)
        return self.source if self.refusals else self._applied(edits)

    def _function(self, name: str) -> ast.FunctionDef | None:
        return next((each for each in self._tree.body if isinstance(each, ast.FunctionDef) and each.name == name), None)

    def _directives(self, function: ast.FunctionDef) -> Iterator[Directive]:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (found := read(node, self.source)) is not None:
                yield found

    def _refuse(self, line: int, reason: str) -> None:
        self.refusals.append(Refusal(line, reason))

    def _refuse_others(self, downgrade: ast.FunctionDef) -> None:
        """A downgrade that does more than reverse the directives is not what ops.undo() does."""
        for each in self._directives(downgrade):
            if each.name not in _REVERSED:
                self._refuse(each.line, f"op.{each.name} in downgrade() is not what ops.undo() does")
        for statement in downgrade.body:
            if not isinstance(statement, (ast.Pass, ast.Expr)):
                self._refuse(statement.lineno, "downgrade() does more than call directives")

    def _refuse_elsewhere(self, *functions: ast.FunctionDef) -> None:
        inside = {id(node) for each in functions for node in ast.walk(each)}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id == "op" and id(node) not in inside:
                self._refuse(node.lineno, "op is used outside of upgrade() and downgrade()")

    def _of_upgrade(self, upgrade: ast.FunctionDef, around: Around) -> Iterator[Edit]:
        stays = 0
        statements = {id(each.value): each for each in upgrade.body if isinstance(each, ast.Expr)}
        for directive in self._directives(upgrade):
            try:
                text, in_contract = operation(directive, around)
            except NotExact as reason:
                self._refuse(directive.line, f"op.{directive.name}: {reason}")
                continue
            statement = statements.get(id(directive.call))
            if in_contract and statement is None:
                self._refuse(directive.line, f"op.{directive.name} belongs in contract(), and is inside of a block")
            elif in_contract and statement is not None:
                self._contract.append(text)
                yield self._without(statement)
            else:
                yield self._edit(directive.call, text)
                stays += 1
        kept = [each for each in upgrade.body if id(getattr(each, "value", None)) not in statements]
        if not stays and not kept:
            last = upgrade.body[-1]
            yield Edit(self._end(last), self._end(last), f"\n{' ' * last.col_offset}pass")

    def _of_downgrade(self, downgrade: ast.FunctionDef) -> Edit:
        is_docstring = ast.get_docstring(downgrade) is not None
        body = downgrade.body[1:] if is_docstring and len(downgrade.body) > 1 else downgrade.body
        margin = " " * body[0].col_offset
        text = "ops.undo()"
        contract = "".join(f"{margin}{each}\n" for each in self._contract)
        start = self._start(body[0])
        if not contract:
            return Edit(start, self._end(body[-1]), text)
        head = self._starts[downgrade.lineno - 1]
        between = self.source[head:start]
        return Edit(head, self._end(body[-1]), f"def contract() -> None:\n{contract}\n\n{between}{text}")

    def _of_imports(self) -> Iterator[Edit]:
        imports = [each for each in self._tree.body if isinstance(each, (ast.Import, ast.ImportFrom))]
        own = [each for each in imports if any(name.name == "op" and not name.asname for name in each.names)]
        if len(own) != 1 or len(own[0].names) != 1 or not isinstance(own[0], ast.ImportFrom):
            self._refuse(own[0].lineno if own else 1, "op is not imported by `from alembic import op`")
            return
        bound = {name.asname or name.name for each in imports for name in each.names}
        new = [] if "sa" in bound or not self._uses_sa else ["import sqlalchemy as sa"]
        new += [] if any(ast.unparse(each) == _IMPORT for each in imports) else [_IMPORT]
        last = max(imports, key=lambda each: each.lineno)
        text = "\n\n".join(new)
        if last is not own[0]:
            yield self._without(own[0])
            yield Edit(self._end(last), self._end(last), f"\n\n{text}" if new else "")
            return
        # Packages of one's own are a group of imports by themselves.
        follows = self.source[: self._start(last)].endswith("\n\n")
        yield Edit(self._start(last), self._end(last), text if follows or not new else f"\n{text}")

    def _start(self, node: ast.stmt | ast.expr) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.stmt | ast.expr) -> int:
        return self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        """The position in the text; ast counts columns in bytes of UTF-8."""
        start = self._starts[line - 1]
        text = self.source[start : self._starts[line]]
        return start + len(text.encode()[:column].decode())

    def _edit(self, call: ast.Call, text: str) -> Edit:
        """Where only `op` becomes `ops`, the arguments keep their lines."""
        old = self.source[self._start(call) : self._end(call)]
        kept = old.replace("op.", "ops.", 1)
        return Edit(
            self._start(call), self._end(call), kept if ast.dump(ast.parse(kept)) == ast.dump(ast.parse(text)) else text
        )

    def _without(self, statement: ast.stmt) -> Edit:
        """The lines of a statement, with the line break behind."""
        end = self._starts[(statement.end_lineno or statement.lineno)]
        return Edit(self._starts[statement.lineno - 1], end, "")

    def _applied(self, edits: list[Edit]) -> str:
        text = self.source
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text


_REVERSED = (
    *("add_column", "drop_column", "create_table", "drop_table", "rename_table", "create_index", "drop_index"),
    *("create_foreign_key", "create_check_constraint", "create_unique_constraint", "drop_constraint", "alter_column"),
)
