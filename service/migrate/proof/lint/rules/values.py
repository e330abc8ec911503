"""Downgrades, and values that a revision loses."""

import ast
import re
from collections.abc import Iterator

from service.migrate.operations.columns.add_drop import AddColumn, DropColumn
from service.migrate.operations.triggers.follow import Follow
from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Call, Style
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Found, Place, Rules, Whole
from service.migrate.proof.lint.rules.downgrades import is_empty
from service.migrate.proof.lint.sql import differences
from service.migrate.proof.lint.sql.change import Change, Column, Kind

rules = Rules(family=Family.VALUES, databases=(PG, SQLITE))
# What leaves nothing that a downgrade must take back.
_CHANGES_NOTHING = (
    *(Kind.SELECT, Kind.SET, Kind.PRAGMA, Kind.TRANSACTION, Kind.VALIDATE_CONSTRAINT, Kind.ANALYZE, Kind.VACUUM),
    *(Kind.REFRESH, Kind.REINDEX, Kind.CLUSTER, Kind.LOCK),
)
_LEFT = re.compile(r"(notify|listen|checkpoint|savepoint|execute|create (extension|role|user))\b", re.IGNORECASE)


@rules.whole(
    id="no-downgrade",
    advice="ops.undo(), or the reverse of each directive; ops.refuse_if_any where rows do not fit the older schema",
)
def no_downgrade(of: Whole) -> Found:
    """A deploy that fails cannot be taken back: the downgrade does nothing or raises, and the schema stays."""
    stop = next((each for each in of.revision.stops if each.phase == "downgrade" and not each.needs_rows), None)
    function = of.revision.function("downgrade")
    line = function.lineno if function else 1
    if stop is not None:
        yield stop.line or line, stop.what
    elif any(_changes(each.change) for each in of.places) and is_empty(function):
        yield line, "downgrade() does nothing"


def _changes(change: Change) -> bool:
    return change.kind not in _CHANGES_NOTHING and not (change.kind is Kind.OTHER and _LEFT.match(change.text))


@rules.whole(
    id="false-downgrade",
    advice="Reverse each directive of upgrade() in downgrade(), the last one first; or ops.undo()",
)
def false_downgrade(of: Whole) -> Found:
    """After a downgrade the schema is not what the older code knows, and the next upgrade fails on what is left."""
    if any(each.phase == "downgrade" or each.needs_rows for each in of.revision.stops) or not _is_undone(of):
        return
    line = of.revision.line_of("downgrade")
    yield from ((line, f"after downgrade() {each}") for each in _left(of))


def _is_undone(of: Whole) -> bool:
    """Whether the downgrade is written out: by its function, or by what undoes each statement of ops.execute."""
    if of.revision.is_plain:
        return not is_empty(of.revision.function("downgrade"))
    raw = [each for each in of.revision.calls if each.style is Style.RAW and each.database == of.database]
    up = {id(each.operation) for each in raw if each.phase != "downgrade" and _does(each)}
    return bool(up) and up <= {id(each.operation) for each in raw if each.phase == "downgrade" and _does(each)}


def _does(call: Call) -> bool:
    return any(_changes(each) for each in call.changes)


def _left(of: Whole) -> Iterator[str]:
    for table in sorted({*of.before.tables, *of.back.tables}):
        was, now = of.before.tables.get(table), of.back.tables.get(table)
        if was is None and now is not None and table not in _made(of, Kind.CREATE_TABLE):
            # A table from before the history: only what the revision adds can be known to be left.
            for kind, parts in ((Kind.ADD_COLUMN, now.columns), (Kind.CREATE_INDEX, now.indexes)):
                yield from (f"{table}.{each} is still there" for each in sorted(set(parts) & _made(of, kind, table)))
        elif was is None or now is None:
            yield f"{table} is {'still there' if was is None else 'missing'}"
        else:
            yield from differences.of_tables(was, now, table)
    # SQLite has no more than these, and does not know what else a text for PostgreSQL makes.
    only = ("views", "triggers") if of.database == SQLITE else ()
    yield from differences.of_schemas(of.before, of.back, only=only)


def _made(of: Whole, kind: Kind, table: str = "") -> set[str]:
    """The tables, or the columns and indexes of a table, that the revision makes."""
    changes = [each.change for each in of.places if each.change.kind is kind]
    return {each.name if table else each.table for each in changes if not table or each.table == table}


@rules.on(
    Kind.DROP_COLUMN,
    Kind.DROP_TABLE,
    id="destroys-values",
    advice="ops.drop_column and ops.drop_table keep the values in the trash, from which a downgrade restores them",
)
def destroys_values(at: Place) -> str | None:
    """The values are gone: a downgrade makes an empty column or table."""
    if at.is_new or (at.change.kind is Kind.DROP_COLUMN and at.is_new_column):
        return None
    return f"{at.change.kind} {'.'.join(filter(None, (at.change.table, at.change.name)))} in Alembic's plain style"


@rules.on(
    Kind.UPDATE,
    Kind.DELETE,
    id="irreversible-values",
    level=Level.WARNING,
    advice="Keep the old values in a column of their own (ops.add_column), and drop it in a later contract()",
)
def irreversible_values(at: Place) -> str | None:
    """A downgrade does not bring the old values back."""
    undone = [each for each in at.revision.calls if each.phase == "downgrade" and each.database == at.call.database]
    back = {change.table for each in undone for change in each.changes if change.kind in (Kind.UPDATE, Kind.INSERT)}
    names = [name for table, name in at.added if table == at.change.table and name in at.change.text.split()]
    operation = at.call.operation
    undo = getattr(operation, "down", ((), ()))[at.call.database == SQLITE] if operation is not None else ()
    if at.is_new or not at.change.table or at.change.table in back or undo or (names and at.change.kind is Kind.UPDATE):
        return None
    return f"{at.change.kind} {at.change.table} has no reverse in downgrade()"


@rules.whole(
    id="looks-like-rename",
    level=Level.WARNING,
    advice="ops.rename_column or ops.rename_table, which keep the values; or an ops.Backfill that copies them",
)
def looks_like_rename(of: Whole) -> Found:
    """The values of the old column or table are not under the new name: rows look empty to the new version."""
    yield from _renamed_columns(of)
    dropped = [each for each in of.places if each.change.kind is Kind.DROP_TABLE]
    for made in [each for each in of.places if each.change.kind is Kind.CREATE_TABLE]:
        for gone in dropped:
            columns = set(of.before.table(gone.change.table).columns)
            is_copy = any(
                each.change.kind is Kind.INSERT and each.change.table == made.change.table for each in of.places
            )
            if columns and columns == {each.name for each in made.change.columns} and not is_copy and not _fills(of):
                yield made.call.line, f"{gone.change.table} is dropped, and {made.change.table} has the same columns"


def _renamed_columns(of: Whole) -> Found:
    dropped = [each for each in of.places if each.change.kind is Kind.DROP_COLUMN and _is_own(each, DropColumn)]
    for added in [each for each in of.places if each.change.kind is Kind.ADD_COLUMN and _is_own(each, AddColumn)]:
        for gone in dropped:
            was = of.before.column(gone.change.table, gone.change.name)
            same = was is not None and was.type == added.change.column.type and gone.change.table == added.change.table
            written = any(
                each.change.kind is Kind.UPDATE and added.change.name in each.change.text for each in of.places
            )
            if same and not written and not _fills(of):
                yield (
                    added.call.line,
                    (f"{gone.change.table}.{gone.change.name} is dropped, and {added.change.name} has its type"),
                )


def _is_own(at: Place, kind: type) -> bool:
    """Whether the change is a directive of its own, and not a part of another operation."""
    return at.call.style is not Style.SAFE or isinstance(at.call.operation, kind)


def _fills(of: Whole) -> bool:
    own = any(isinstance(each, Follow) for each in of.revision.operations)
    return own or any(
        isinstance(each, ast.Assign) and "backfill" in ast.unparse(each) for each in of.revision.tree.body
    )


@rules.on(
    Kind.INSERT,
    id="explicit-ids",
    judges_downgrades=True,
    level=Level.WARNING,
    databases=(PG,),
    advice="Leave the id out, or set the sequence afterwards: SELECT setval(pg_get_serial_sequence(…), max(id))",
)
def explicit_ids(at: Place) -> str | None:
    """The next INSERT of the service takes an id that is there already, and fails."""
    columns = {name: at.schema.column(at.change.table, name) for name in at.change.names}
    numbered = [name for name, each in columns.items() if each and (each.is_identity or _is_serial(each))]
    text = " ".join(each.text for each in at.revision.calls)
    return f"INSERT INTO {at.change.table} sets {numbered[0]}" if numbered and "setval" not in text else None


@rules.on(
    Kind.RESTART,
    Kind.SELECT,
    id="resets-sequence",
    databases=(PG,),
    judges_downgrades=True,
    advice="SELECT setval(pg_get_serial_sequence(…), (SELECT max(id) FROM …)), which goes by the rows that are there",
)
def resets_sequence(at: Place) -> str | None:
    """The next INSERT takes an id that a row has already, and fails; or an id is used for a second row."""
    text = at.change.text.lower()
    is_set = re.search(r"\bsetval\s*\([^)]*,\s*\d", text)
    if at.is_new or any(text.find(f"{each}_") >= 0 for each in at.created):
        return None
    if at.change.kind is Kind.RESTART:
        return f"RESTART of {at.change.name or at.change.table} sets a number without regard to the rows"
    return "setval sets a number without regard to the rows" if is_set and "max(" not in text else None


def _is_serial(column: Column) -> bool:
    return (column.default or "").startswith("nextval")
