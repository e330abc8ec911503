"""What else is on a table, as far as the history tells: triggers, functions, indexes, policies, privileges."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.calls import Style
from service.migrate.proof.lint.rule import PG, SQLITE, Family, Place, Rules
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.schema import names_in, names_in_body

rules = Rules(family=Family.ON_TABLE)


def _texts(at: Place) -> list[str]:
    """What names the table's columns in text: functions with their triggers, views."""
    table, column = at.change.table, at.change.name
    triggers = {
        f"trigger {name}": text
        for (name, of), text in at.schema.triggers.items()
        if of == table or table in names_in(text)
    }
    called = {name for text in triggers.values() for name in names_in(text)}
    functions = {
        f"function {name}": text
        for name, text in at.schema.functions.items()
        if name in called or table in names_in_body(text)
    }
    views = {f"view {name}": text for name, text in at.schema.views.items() if table in names_in(text)}
    if at.change.kind is Kind.RENAME_COLUMN:
        # Views follow a new name; on SQLite, which rewrites their texts, triggers do too.
        triggers, views, functions = {}, {}, {} if at.call.database == SQLITE else functions
    return [name for name, text in {**triggers, **functions, **views}.items() if column in names_in_body(text)]


def _is_replaced(at: Place, name: str) -> bool:
    """Whether the same transaction drops the object, or gives it a text without the column."""
    if at.call.style is not Style.PLAIN:
        return False
    later = [each for each in at.following if each.name == name and each.kind in _REPLACING]
    return bool(later) and (later[-1].kind.startswith("DROP") or at.change.name not in names_in_body(later[-1].text))


_REPLACING = (Kind.CREATE_FUNCTION, Kind.CREATE_TRIGGER, Kind.CREATE_VIEW, Kind.DROP_FUNCTION, Kind.DROP_TRIGGER)


@rules.on(
    Kind.DROP_COLUMN,
    Kind.RENAME_COLUMN,
    id="text-names-column",
    databases=(PG, SQLITE),
    advice="Change the function, trigger or view in the revision before; ops.drop_column checks them on the database",
)
def text_names_column(at: Place) -> str | None:
    """Each write that fires the trigger fails, and each read of the view: the database does not look into the text."""
    found = [each for each in _texts(at) if not _is_replaced(at, each.partition(" ")[2])]
    return f"{', '.join(found)} names {at.change.table}.{at.change.name}" if found and not at.is_new else None


@rules.on(
    Kind.DROP_COLUMN,
    id="drops-index-with-column",
    level=Level.WARNING,
    databases=(PG, SQLITE),
    advice="Drop or replace the index or the constraint first (ops.drop_index, ops.replace_index, ops.drop_constraint)",
)
def drops_index_with_column(at: Place) -> str | None:
    """Queries that use the index read the whole table, and duplicates become possible: it goes with the column."""
    name, table = at.change.name, at.table
    lost = [index for index, columns in table.indexes.items() if name in columns and len(columns) > 1]
    lost += [each.name or each.kind for each in table.constraints if name in each.columns and len(each.columns) > 1]
    return f"{', '.join(lost)} goes with {at.change.table}.{name}" if lost and not at.is_new else None


@rules.on(
    Kind.DROP_TABLE,
    Kind.DROP_COLUMN,
    Kind.DROP_CONSTRAINT,
    Kind.DROP_VIEW,
    Kind.DROP_FUNCTION,
    Kind.DROP_TYPE,
    Kind.DROP_SEQUENCE,
    Kind.DROP_EXTENSION,
    Kind.TRUNCATE,
    id="cascades",
    judges_downgrades=True,
    advice="Drop what depends on it by name, before; without CASCADE the database refuses what was forgotten",
)
def cascades(at: Place) -> str | None:
    """Views, foreign keys or rows of other tables are gone that the revision does not name."""
    found = "cascade" in at.change.words
    return f"{at.change.kind} {at.change.name or at.change.table} … CASCADE" if found else None


@rules.on(
    Kind.SWITCH_TRIGGER,
    id="disables-triggers",
    judges_downgrades=True,
    advice="Leave the triggers on; an ops.Backfill works beside them",
)
def disables_triggers(at: Place) -> str | None:
    """What requests write meanwhile is not checked, copied or logged; with ALL, foreign keys are not checked either."""
    found = at.change.name == "disable" and not at.is_new
    return f"Triggers of {at.change.table} are disabled" if found else None


@rules.on(
    Kind.SET,
    id="replica-role",
    judges_downgrades=True,
    advice="Leave session_replication_role out; an ops.Backfill works beside triggers and foreign keys",
)
def replica_role(at: Place) -> str | None:
    """The revision's writes fire no trigger and check no foreign key: rows are stored that should not be."""
    found = at.change.name.lower() == "session_replication_role" and at.change.to == "replica"
    return "session_replication_role is set to replica" if found else None


@rules.on(
    Kind.ROW_SECURITY,
    id="row-security-without-policy",
    judges_downgrades=True,
    advice="Create the policies first, in the same ops.execute",
)
def row_security_without_policy(at: Place) -> str | None:
    """The running version sees no row of the table, unless its role owns the table."""
    if at.change.name != "enable" or any(table == at.change.table for table, _ in at.schema.policies):
        return None
    return f"Row security is enabled on {at.change.table}, which has no policy"


@rules.on(
    Kind.ROW_SECURITY,
    id="row-security-forced",
    level=Level.WARNING,
    advice="Let the migrating role have BYPASSRLS before, or the migrator refuses the table later",
)
def row_security_forced(at: Place) -> str | None:
    """The owner's queries lose rows, and with them the backfills and checks of later revisions."""
    return f"Row security of {at.change.table} is forced on the owner" if at.change.name == "force" else None


@rules.on(
    Kind.ROW_SECURITY,
    id="disables-row-security",
    advice="Leave row security on, and give a role that must see all rows BYPASSRLS or a policy of its own",
)
def disables_row_security(at: Place) -> str | None:
    """Each role with privileges on the table sees and changes all of its rows, also those that policies hid."""
    found = at.change.name == "disable" and not at.is_new
    return f"Row security of {at.change.table} is disabled" if found else None


@rules.on(
    Kind.CREATE_RULE,
    id="creates-rule",
    level=Level.WARNING,
    advice="A trigger (ops.trigger), which each row fires",
)
def creates_rule(at: Place) -> str | None:
    """INSERT, UPDATE or DELETE of the running version does something else, and RETURNING and counts of rows differ."""
    return None if at.is_new else f"CREATE RULE {at.change.name} on {at.change.table}"


@rules.on(
    Kind.CHANGE_OWNER,
    id="changes-owner",
    level=Level.WARNING,
    advice="Let the role that migrates stay the owner, and GRANT what another role needs",
)
def changes_owner(at: Place) -> str | None:
    """The old owner, and with it the running version or the next migration, is denied what it has no privilege for."""
    return None if at.is_new else f"{at.change.table} gets the owner {at.change.to}"


@rules.on(
    Kind.REPLICA_IDENTITY,
    id="loses-replica-identity",
    advice="Leave the default, which is the primary key",
)
def loses_replica_identity(at: Place) -> str | None:
    """UPDATE and DELETE fail while a publication has the table."""
    found = at.change.to == "nothing" and not at.is_new
    return f"{at.change.table} has no replica identity" if found else None


@rules.on(
    Kind.ALTER_PUBLICATION,
    Kind.DROP_PUBLICATION,
    id="changes-publication",
    level=Level.WARNING,
    advice="Agree on it with the subscribers, which need the tables before they are added, and a refresh afterwards",
)
def changes_publication(at: Place) -> str | None:
    """Subscribers get no further rows of the tables that are left out, and stop at tables that they do not have."""
    if at.change.kind is Kind.DROP_PUBLICATION:
        return f"The publication {at.change.name} is dropped"
    verb = next((each for each in ("add", "drop", "set") if each in at.change.words), "")
    return f"ALTER PUBLICATION {at.change.name} {verb.upper()}" if verb and "table" in at.change.words else None


@rules.on(
    Kind.DROP_POLICY,
    id="drops-policy",
    advice="Replace the policy in one ops.execute, or drop it when row security is off",
)
def drops_policy(at: Place) -> str | None:
    """Rows that the policy showed are hidden from the running version, or rows that it hid are shown."""
    again = any(each.kind is Kind.CREATE_POLICY and each.table == at.change.table for each in at.following)
    found = not again and (at.change.table, at.change.name) in at.schema.policies
    return f"DROP POLICY {at.change.name} on {at.change.table}" if found else None


@rules.on(
    Kind.DROP_TABLE,
    Kind.RENAME_TABLE,
    Kind.DROP_COLUMN,
    Kind.RENAME_COLUMN,
    Kind.CHANGE_TYPE,
    id="published-table",
    level=Level.WARNING,
    advice="Add on the subscriber first, and drop there last; a publication carries rows and no changes of the schema",
)
def published_table(at: Place) -> str | None:
    """The subscriber stops: the rows that it gets do not fit its tables, and WAL is kept until it goes on."""
    names = at.schema.published.get(at.change.table)
    return f"{at.change.table} is published by {', '.join(sorted(names))}" if names and not at.is_new else None


@rules.on(
    Kind.REVOKE,
    id="revokes-privilege",
    level=Level.WARNING,
    advice="Revoke in contract(), when the running version does not need the privilege any more",
)
def revokes_privilege(at: Place) -> str | None:
    """Statements of the running version are denied, if its role has the privilege from here."""
    if at.is_new or at.call.phase == "contract":
        return None
    return f"REVOKE on {at.change.table or 'an object'} from {at.change.to}"


@rules.on(
    Kind.GRANT,
    id="grants-to-public",
    level=Level.WARNING,
    advice="Name the role that needs the privilege",
)
def grants_to_public(at: Place) -> str | None:
    """Every role of the server may read or write the table."""
    table = at.change.table or "new tables"
    return f"GRANT on {table} to public" if "public" in at.change.to.lower() else None


@rules.on(
    Kind.CREATE_TABLE,
    id="table-without-primary-key",
    level=Level.WARNING,
    databases=(PG, SQLITE),
    judges_safe=True,
    advice="Give the table a primary key; ops.Backfill goes along it",
)
def table_without_primary_key(at: Place) -> str | None:
    """UPDATE and DELETE fail once the table is published, and a backfill has no order of rows."""
    change = at.change
    keys = [*change.constraints, *(one for each in change.columns for one in each.constraints)]
    if not change.columns or {"temp", "temporary", "select", "partition", "like"} & change.words:
        return None
    return None if any(each.kind == "primary key" for each in keys) else f"{change.table} has no primary key"
