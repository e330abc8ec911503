"""Files of revisions, their downgrades and their order."""

import ast
import re

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.HISTORY, databases=(PG, SQLITE))
_LONGEST_NAME = 63


@rules.whole(id="several-heads", advice="`alembic merge heads`, or set down_revision to the other head")
def several_heads(of: Whole) -> Found:
    """`upgrade head` fails: the history has more than one newest revision."""
    if len(of.heads) > 1 and of.revision.id in of.heads:
        others = [each for each in of.heads if each != of.revision.id]
        yield _line(of, "down_revision"), f"{of.revision.id} and {' and '.join(others)} are heads"


@rules.whole(
    id="edited-revision",
    advice="Leave the file as it was, and write a revision that changes what it made",
)
def edited_revision(of: Whole) -> Found:
    """Databases that ran the old text keep what it made, and the migrator reports a checksum mismatch."""
    if of.was is not None and _code(of.was) != _code(of.revision.source):
        yield 1, "The code of the file differs from the base"


def _code(source: str) -> str:
    """The code without comments and docstring, as the checksum reads it."""
    tree = ast.parse(source)
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return "\n".join(ast.dump(each) for each in body)


@rules.whole(
    id="imports-models",
    advice="Write the tables and columns that the revision needs as sa.table(…) and sa.Column(…)",
)
def imports_models(of: Whole) -> Found:
    """The revision fails, or does something else, once the models change: a new database then cannot be made."""
    packages = {each.partition(".")[0] for each in of.model_modules}
    for node in ast.walk(of.revision.tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for name in [f"{module}.{each.name}".lstrip(".") for each in node.names]:
            # The migrator's own package is what a revision is written with.
            if name.partition(".")[0] in packages and not name.startswith("service.migrate"):
                yield node.lineno, ast.unparse(node)


@rules.whole(
    id="does-not-run",
    advice="Correct the call; docs/schema-changes.md has a recipe for each kind of change",
)
def does_not_run(of: Whole) -> Found:
    """The deploy stops at this revision."""
    for stop in of.revision.stops:
        if not stop.needs_rows and stop.phase != "downgrade":
            yield stop.line, _mixed(of) or stop.what
    if of.revision.refusal:
        found = re.match(r"[^:]*:(\d+): (.*)", of.revision.refusal, re.DOTALL)
        yield (int(found[1]), found[2]) if found else (of.revision.line_of("upgrade"), of.revision.refusal)


def _mixed(of: Whole) -> str:
    """The cause, if a function of safe operations imports Alembic's op, which has no connection there."""
    inner = (
        each for each in ast.walk(of.revision.tree) if isinstance(each, ast.FunctionDef) and not of.revision.is_plain
    )
    imports = [one for each in inner for one in ast.walk(each) if isinstance(one, ast.ImportFrom)]
    if not any(each.module == "alembic" and "op" in [name.name for name in each.names] for each in imports):
        return ""
    return "Alembic's op is called beside safe operations, which have no one transaction for it: use ops.execute"


@rules.whole(
    id="reads-rows",
    level=Level.WARNING,
    databases=(PG, SQLITE),
    advice="ops.Backfill(by=…) runs Python on rows in batches; ops.refuse_if_any asks before; or read it with --trace",
)
def reads_rows(of: Whole) -> Found:
    """Locks last as long as Python reads rows; what the revision does depends on them, and the linter sees a part."""
    for stop in of.revision.stops:
        if stop.needs_rows:
            yield stop.line or of.revision.line_of(stop.phase), f"{stop.phase}() asks the database"


@rules.on(
    Kind.ADD_CONSTRAINT,
    Kind.ADD_COLUMN,
    Kind.CREATE_TABLE,
    id="unnamed-constraint",
    level=Level.WARNING,
    judges_safe=True,
    advice="Give the constraint a name, or the metadata a naming_convention",
)
def unnamed_constraint(at: Place) -> str | None:
    """A later revision cannot drop it by name, since each database gives it a name of its own."""
    for each in at.declared:
        if not each.name and each.kind in ("check", "unique", "foreign key", "exclude"):
            return f"{each.kind.upper()} on {at.change.table} has no name"
    return None


@rules.on(
    Kind.ADD_COLUMN,
    Kind.CREATE_TABLE,
    Kind.CREATE_INDEX,
    Kind.ADD_CONSTRAINT,
    Kind.RENAME_COLUMN,
    Kind.RENAME_TABLE,
    id="name-too-long",
    advice="A name of at most 63 bytes",
)
def name_too_long(at: Place) -> str | None:
    """PostgreSQL cuts the name silently; the second name with that beginning is refused, and models do not find it."""
    quoted = re.findall(r'"([^"]+)"|\b(\w+)\b', at.call.text)
    found = [one or other for one, other in quoted if len((one or other).encode()) > _LONGEST_NAME]
    found = [each for each in found if each in at.call.text and f"'{each}'" not in at.call.text]
    return f"The name {found[0]} has {len(found[0].encode())} bytes" if found else None


def _line(of: Whole, name: str) -> int:
    for node in of.revision.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            return node.lineno
    return 1
