"""What the running version uses beside columns: constraints, indexes, views, functions, types, and the rows."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Style
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.RUNNING_VERSION, databases=(PG, SQLITE))


@rules.on(
    Kind.DROP_VIEW,
    Kind.DROP_FUNCTION,
    Kind.DROP_TRIGGER,
    Kind.DROP_SEQUENCE,
    Kind.DROP_EXTENSION,
    id="drops-used-object",
    level=Level.WARNING,
    advice="Drop it in contract(), when no version uses it any more (ops.drop_trigger, ops.drop_function)",
)
def drops_used_object(at: Place) -> str | None:
    """Statements of the running version that need it fail, or lose what it did."""
    if at.change.kind is Kind.DROP_EXTENSION and at.call.phase != "contract":
        return f"DROP EXTENSION {at.change.name} in upgrade()"
    known = {*at.schema.views, *at.schema.sequences, *at.schema.functions, *(name for name, _ in at.schema.triggers)}
    made_before = {each.change.name for each in at.together if each.change.kind.startswith("CREATE")}
    again = any(each.kind.startswith("CREATE") and each.name == at.change.name for each in at.following)
    if at.call.phase == "contract" or at.change.name not in known or at.change.name in made_before or again:
        return None
    return f"{at.change.kind} {at.change.name} in upgrade()" if at.call.style is not Style.SAFE else None


@rules.on(
    Kind.TRUNCATE,
    id="truncates-table",
    judges_downgrades=True,
    advice="Leave it out of revisions; ops.drop_table in contract() keeps the rows in the trash until purge",
)
def truncates_table(at: Place) -> str | None:
    """Every row is gone, no downgrade brings one back, and requests wait for ACCESS EXCLUSIVE."""
    return None if at.is_new else f"TRUNCATE {at.change.table}"


@rules.on(
    Kind.DROP_WHOLE,
    id="drops-everything",
    judges_downgrades=True,
    databases=(PG,),
    advice="Drop what the revision is about, one table at a time (ops.drop_table)",
)
def drops_everything(at: Place) -> str | None:
    """Whatever is inside is gone, also what the revision does not know of."""
    return " ".join(at.change.text.split()[:3])


@rules.on(
    Kind.CHANGE_TYPE,
    id="narrows-type",
    advice="A CHECK for the new limit first (ops.add_check); the type in a later revision (ops.change_type)",
)
def narrows_type(at: Place) -> str | None:
    """Writes of the running version that the new type does not hold fail, and so does the revision on such rows."""
    known = at.schema.column(at.change.table, at.change.name)
    if at.is_new or known is None or not types.is_narrower(known.type, at.change.column.type):
        return None
    return f"{at.change.table}.{at.change.name} changes from {known.type} to {at.change.column.type}"


@rules.on(
    Kind.CREATE_INDEX,
    Kind.ADD_CONSTRAINT,
    id="fails-on-duplicates",
    judges_downgrades=True,
    level=Level.WARNING,
    advice="ops.add_unique and ops.create_index refuse duplicates by name before anything is changed",
)
def fails_on_duplicates(at: Place) -> str | None:
    """The revision fails once two rows have the same values, and CONCURRENTLY leaves an invalid index behind."""
    is_index = at.change.kind is Kind.CREATE_INDEX
    unique = "unique" in at.change.words if is_index else at.change.constraint.kind == "unique"
    if at.is_new or not unique or (at.change.constraints and at.change.constraint.index):
        return None
    return f"UNIQUE on {at.change.table}, whose rows may have duplicates"


@rules.on(
    Kind.DROP_CONSTRAINT,
    id="drops-constraint",
    level=Level.WARNING,
    advice="ops.drop_constraint in contract(), or ops.replace_constraint",
)
def drops_constraint(at: Place) -> str | None:
    """Rows are stored that the running version relies on not to be there, and that a downgrade cannot keep."""
    again = any(each.kind is Kind.ADD_CONSTRAINT and each.table == at.change.table for each in at.following)
    added = [each.change.name for each in at.together if each.change.kind is Kind.ADD_CONSTRAINT]
    if at.is_new or again or at.change.name in added or at.call.phase == "contract" or _is_dropped(at, at.change.table):
        return None
    return f"{at.change.name} is dropped from {at.change.table} in upgrade()"


def _is_dropped(at: Place, table: str) -> bool:
    """Whether the table goes in the same revision, which is a finding of its own."""
    return any(each.kind is Kind.DROP_TABLE and each.table == table for each in at.following)


@rules.on(
    Kind.DROP_INDEX,
    id="drops-used-index",
    level=Level.WARNING,
    advice="ops.drop_index in contract(), or ops.replace_index",
)
def drops_used_index(at: Place) -> str | None:
    """Queries of the running version that use the index read the whole table."""
    tables = [name for name, table in at.schema.tables.items() if at.change.name in table.indexes]
    own = any(
        change.kind is Kind.CREATE_INDEX and change.name == at.change.name
        for call in at.revision.calls
        for change in call.changes
        if call.phase != "downgrade"
    )
    if not tables or own or at.call.phase == "contract" or _is_dropped(at, tables[0]):
        return None
    indexes = at.schema.tables[tables[0]].indexes
    first = indexes[at.change.name][:1]
    others = [columns for name, columns in indexes.items() if name != at.change.name and columns[:1] == first]
    again = any(each.kind is Kind.CREATE_INDEX and each.table == tables[0] for each in at.following)
    return None if others or again else f"{at.change.name} of {tables[0]} is dropped in upgrade()"


@rules.on(
    Kind.DROP_VIEW,
    Kind.DROP_TABLE,
    Kind.DROP_FUNCTION,
    id="recreates-object",
    level=Level.WARNING,
    advice="CREATE OR REPLACE, or GRANT and COMMENT again",
)
def recreates_object(at: Place) -> str | None:
    """The running version is denied: privileges and comments of the old object are not those of the new one."""
    name = at.change.table or at.change.name
    made = (Kind.CREATE_VIEW, Kind.CREATE_TABLE, Kind.CREATE_FUNCTION)
    again = any(each.kind in made and name in (each.table, each.name) for each in at.following)
    granted = any(each.kind is Kind.GRANT and each.table == name for each in at.following)
    return f"{at.change.kind} {name}, which is created again" if again and not granted and not at.is_new else None
