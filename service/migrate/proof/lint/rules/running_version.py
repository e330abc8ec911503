"""Changes with which the version of the code that is running no longer works."""

from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.not_null import SetNotNull
from service.migrate.operations.tables.rename import RenameTable
from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.schema import proves_not_null

rules = Rules(family=Family.RUNNING_VERSION, databases=(PG, SQLITE))


def _is_used(at: Place, column: str | None) -> bool:
    """Whether a version that runs in this phase may use the table, or the column of it."""
    table = at.change.table
    if column is None:
        is_mapped_now = at.mapped.has_table(table) and (table, "") not in at.again
    else:
        is_mapped_now = at.mapped.has(table, column) and (table, column) not in at.again
    if at.call.phase == "contract":
        # The previous version runs no more; the models are those of the newest revision.
        return is_mapped_now
    if at.base is None:
        return True
    return is_mapped_now or (at.base.has_table(table) if column is None else at.base.has(table, column))


@rules.on(
    Kind.DROP_COLUMN,
    id="drops-used-column",
    judges_safe=True,
    advice="ops.drop_column in contract(), when no version maps the column any more",
)
def drops_used_column(at: Place) -> str | None:
    """Every statement of the running version that names the column fails."""
    if at.is_new_column or not _is_used(at, at.change.name):
        return None
    return f"{at.change.table}.{at.change.name} is dropped{_where(at, at.change.name)}"


@rules.on(
    Kind.DROP_TABLE,
    id="drops-used-table",
    judges_safe=True,
    advice="ops.drop_table in contract(), when no version maps the table any more",
)
def drops_used_table(at: Place) -> str | None:
    """Every statement of the running version that names the table fails."""
    if at.is_new or not _is_used(at, None):
        return None
    return f"{at.change.table} is dropped{_where(at, None)}"


def _where(at: Place, column: str | None) -> str:
    mapped = at.mapped.has_table(at.change.table) if column is None else at.mapped.has(at.change.table, column)
    return ", and the models map it" if mapped else f" in {at.call.phase}(), while the previous version runs"


@rules.on(
    Kind.RENAME_COLUMN,
    id="renames-used-column",
    advice="ops.rename_column keeps both names until the contract",
)
def renames_used_column(at: Place) -> str | None:
    """Statements of the running version with the old name fail, and those of the new version before the revision."""
    if at.is_new_column or not _is_used(at, at.change.name):
        return None
    return f"{at.change.table}.{at.change.name} is renamed to {at.change.to}"


@rules.on(
    Kind.RENAME_TABLE,
    id="renames-used-table",
    judges_safe=True,
    advice="ops.rename_table keeps the old name as a view until the contract",
)
def renames_used_table(at: Place) -> str | None:
    """Statements of the running version with the old name fail, and those of the new version before the revision."""
    if at.is_new or isinstance(at.call.operation, RenameTable) or not _is_used(at, None):
        return None
    if at.change.to in at.created or at.change.table in at.created:
        return None
    return f"{at.change.table} is renamed to {at.change.to}"


@rules.on(
    Kind.SET_SCHEMA,
    Kind.RENAME_SCHEMA,
    id="moves-used-table",
    databases=(PG,),
    advice="Create the table in the other schema (ops.create_table), and move the rows by triggers and an ops.Backfill",
)
def moves_used_table(at: Place) -> str | None:
    """Statements of the running version do not find the table."""
    return None if at.is_new else f"{at.change.kind} on {at.change.table or at.change.name}"


@rules.on(
    Kind.ADD_COLUMN,
    id="requires-unknown-column",
    judges_downgrades=True,
    advice="ops.add_column with a server_default; or nullable, an ops.Backfill, and ops.set_not_null in contract()",
)
def requires_unknown_column(at: Place) -> str | None:
    """Each INSERT of the running version fails, which does not know the column; with rows the revision fails."""
    column = at.change.column
    given = column.default not in (None, "null", "NULL") or column.is_identity or column.generated
    if at.is_new or column.is_nullable or given or column.type in types.SERIAL:
        return None
    if at.is_safe and at.call.operation is not None and type(at.call.operation).__name__ == "RenameColumn":
        return None
    return f"{at.change.table}.{column.name} is NOT NULL without a server default"


@rules.on(
    Kind.SET_NOT_NULL,
    Kind.ADD_CONSTRAINT,
    id="requires-value",
    judges_safe=True,
    advice="ops.set_not_null with fill= in upgrade(), or in contract(), when the previous version runs no more",
)
def requires_value(at: Place) -> str | None:
    """Each INSERT or UPDATE of the running version that leaves the column NULL fails."""
    name = _required(at)
    filled = isinstance(at.call.operation, SetNotNull) and at.call.operation.fill is not None
    if not name or at.is_new or filled or at.call.phase == "contract" or at.table.is_required(name):
        return None
    known = at.schema.column(at.change.table, name)
    if (at.change.table, name) in at.added or (known is not None and known.default not in (None, "null", "NULL")):
        return None
    return f"{at.change.table}.{name} becomes NOT NULL without a server default"


def _required(at: Place) -> str:
    """The column that may be NULL no more: a CHECK says so too, and NOT VALID means the rows that exist alone."""
    if at.change.kind is Kind.SET_NOT_NULL:
        return at.change.name
    added = at.change.constraint
    if added.kind == "not null":
        return added.columns[0]
    columns = [each for each in at.table.columns if proves_not_null(added.expression, each)]
    return columns[0] if columns and added.kind == "check" else ""


@rules.on(
    Kind.DROP_NOT_NULL,
    id="allows-null",
    level=Level.WARNING,
    advice="Write no NULL until the previous version runs no more; a downgrade must fill it first (ops.drop_not_null)",
)
def allows_null(at: Place) -> str | None:
    """The running version reads NULL from a column that it knows as NOT NULL, once the new version writes one."""
    known = at.schema.column(at.change.table, at.change.name)
    if at.is_new_column or known is None or known.is_nullable or not _is_used(at, at.change.name):
        return None
    return f"{at.change.table}.{at.change.name} may be NULL"


@rules.on(
    Kind.ALTER_CONSTRAINT,
    id="defers-constraint",
    level=Level.WARNING,
    databases=(PG,),
    advice="Leave the constraint as it is, and SET CONSTRAINTS … DEFERRED where the new version needs it",
)
def defers_constraint(at: Place) -> str | None:
    """The running version gets the error of a wrong row at COMMIT, where it does not expect one."""
    found = "deferred" in at.change.words
    return f"{at.change.name} of {at.change.table} is checked at COMMIT" if found else None


@rules.on(
    Kind.DROP_DEFAULT,
    Kind.DROP_IDENTITY,
    id="drops-used-default",
    judges_safe=True,
    advice="ops.set_default(…, None) in contract(), or in a later revision",
)
def drops_used_default(at: Place) -> str | None:
    """Each INSERT of the running version that relies on the default fails."""
    required = at.table.is_required(at.change.name)
    if at.is_new_column or not required or at.call.phase == "contract":
        return None
    what = "identity" if at.change.kind is Kind.DROP_IDENTITY else "default"
    return f"{at.change.table}.{at.change.name} is NOT NULL and loses its {what}"


@rules.on(
    Kind.CHANGE_TYPE,
    id="changes-python-type",
    level=Level.WARNING,
    judges_safe=True,
    advice="ops.rename_column with up= and down=: each version has a column of its own type",
)
def changes_python_type(at: Place) -> str | None:
    """The running version reads and writes values of another Python type under the old name."""
    known = at.schema.column(at.change.table, at.change.name)
    operation = at.call.operation
    was = _type_of(operation) if isinstance(operation, ChangeType) else known.type if known else ""
    before, now = types.python_type(was), types.python_type(at.change.column.type)
    if at.is_new or not before or not now or before == now:
        return None
    return f"{at.change.table}.{at.change.name} changes from {before} ({was}) to {now} ({at.change.column.type})"


def _type_of(operation: ChangeType) -> str:
    return types.spelled(str(operation.was.type))


@rules.on(
    Kind.CHANGE_TYPE,
    id="invalidates-cached-plans",
    level=Level.WARNING,
    databases=(PG,),
    advice="ops.change_type; and the code repeats a unit of work once after InvalidCachedStatementError",
)
def invalidates_cached_plans(at: Place) -> str | None:
    """The next query of each pooled connection on the column fails once: its prepared statement has the old type."""
    known = at.schema.column(at.change.table, at.change.name)
    same = known is not None and known.type == at.change.column.type
    return None if at.is_new or same else f"{at.change.table}.{at.change.name} has another type"


@rules.on(
    Kind.ADD_ENUM_VALUE,
    id="adds-enum-value",
    databases=(PG,),
    advice="Text with a CHECK (ops.replace_constraint) instead of a native enum",
)
def adds_enum_value(at: Place) -> str | None:
    """The running version fails with LookupError when it reads a row with the new value."""
    return f"{at.change.name} gets the value {at.change.to!r}"


@rules.on(
    Kind.RENAME_ENUM_VALUE,
    id="renames-enum-value",
    databases=(PG,),
    advice="Text with a CHECK, and an ops.Backfill from the old value to the new one",
)
def renames_enum_value(at: Place) -> str | None:
    """The running version fails when it reads or writes the value."""
    return f"{at.change.name} renames the value {at.change.to!r}"


@rules.on(
    Kind.CREATE_ENUM,
    id="native-enum",
    level=Level.WARNING,
    databases=(PG,),
    judges_safe=True,
    advice="sa.Enum(…, native_enum=False) or text with a CHECK: a value more is then ops.replace_constraint",
)
def native_enum(at: Place) -> str | None:
    """No value can be removed later, and each value more breaks the version that runs then."""
    return f"The type {at.change.name} is a native enum"


@rules.on(
    Kind.ADD_COLUMN,
    id="json-without-equality",
    level=Level.WARNING,
    databases=(PG,),
    judges_safe=True,
    advice="The type jsonb (sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'))",
)
def json_without_equality(at: Place) -> str | None:
    """Queries with DISTINCT, GROUP BY or UNION over the table fail, since json has no equality."""
    if at.is_new or at.change.column.type != "json":
        return None
    return f"{at.change.table}.{at.change.name} is json"
