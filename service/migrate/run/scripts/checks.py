"""What a script checks before its first change: the state of the database that it was written for, and rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.schema import CreateIndex, CreateTable

from service.migrate import naming
from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.ddl import literal
from service.migrate.operations.base import Columns
from service.migrate.operations.step import Precondition
from service.migrate.plan.plan import Plan
from service.migrate.run.scripts.functions import functions
from service.migrate.run.scripts.text import array, block, raised
from service.migrate.state import ledger

_HEADS = "pg_temp.migrator_heads()"
_TRIES = 20
_NONE = "'{}'::text[]"
_VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state for which a script is written.

    `verb` is the command that does the same online. `state` are SQL conditions on the ledger, each with the message if
    it does not hold; `checks` are statements that raise for missing columns and wrong rows. `finished` is a condition
    under which nothing is left to do; `entered` is the revision of a phase.
    """

    id: str
    verb: str
    creates_ledger: bool
    revisions: Sequence[str]
    creates: Sequence[str]
    state: Sequence[tuple[str, str]]
    checks: Sequence[str]
    finished: str
    entered: str = ""


def first_statement(state: State) -> str:
    """The first statement: it raises unless the database is in the state, and takes the migrator's lock and lease."""
    return block(
        "IF transaction_timestamp() <> statement_timestamp() THEN",
        f"  {raised('Each step of this script commits: run it without --single-transaction and outside of BEGIN.')}",
        "END IF;",
        "COMMIT;  -- fails where the client sends the whole script as one statement: use psql",
        *_locked(),
        "PERFORM set_config('client_min_messages', 'warning', false), set_config('row_security', 'off', false),",
        "  set_config('migrator.state', '', false), set_config('migrator.revision', '', false),",
        f"  set_config('migrator.holder', {literal(_holder(state))}, false),",
        "  set_config('migrator.token', md5(random()::text || clock_timestamp()::text), false);",
        *_tables(state),
        *_same_owner(),
        functions(),
        f"_is_mine := EXISTS (SELECT FROM {ledger.LEASE} WHERE holder = {literal(_holder(state))});",
        "IF NOT _is_mine THEN",
        *(f"  {line}" for line in _of_new_run(state)),
        "END IF;",
        "IF current_setting('migrator.state') <> 'done' THEN",
        f"  DELETE FROM {ledger.LEASE};",
        f"  INSERT INTO {ledger.LEASE} (id, token, holder, taken_at, seen_at) VALUES (1, current_setting("
        f"'migrator.token'), {literal(_holder(state))}, clock_timestamp(), clock_timestamp());",
        f"  PERFORM set_config('migrator.revision', {literal(state.entered)}, false);",
        "END IF;",
        f"PERFORM pg_advisory_lock({naming.lock_key()});",
        declared=("_is_mine boolean", "_lines text[]", "_owner name"),
    )


def _locked() -> Iterator[str]:
    """Poll for the migrators' lock: the session of a psql that was killed ends a moment later."""
    yield f"FOR _try IN 1..{_TRIES} LOOP"
    yield f"  EXIT WHEN pg_try_advisory_xact_lock({naming.lock_key()});"
    yield f"  IF _try = {_TRIES} THEN"
    yield f"    {raised('Another migrator works on this database. Run the script again when it has ended.')}"
    yield "  END IF;"
    yield "  COMMIT;"
    yield "  PERFORM pg_sleep(0.1);"
    yield "END LOOP;"


def _holder(state: State) -> str:
    return f"script {state.id}"


def _tables(state: State) -> Iterator[str]:
    """Create the tables that are missing, or raise where a ledger is needed."""
    if not state.creates_ledger:
        yield f"IF to_regclass('{ledger.CONTRACTS}') IS NULL OR to_regclass('alembic_version') IS NULL THEN"
        yield f"  {raised(f'The database has no ledger: run {naming.command(state.verb)} on it, which makes one.')}"
        yield "END IF;"
        return
    yield f"IF to_regclass('alembic_version') IS NULL THEN {_VERSIONS}; END IF;"
    for table in ledger.METADATA.sorted_tables:
        dialect = ddl.dialect("postgresql")
        texts = [
            CreateTable(table).compile(dialect=dialect),
            *(CreateIndex(each).compile(dialect=dialect) for each in table.indexes),
        ]
        yield f"IF to_regclass({literal(table.name)}) IS NULL THEN"
        yield from (f"  {' '.join(str(text).split())};" for text in texts)
        yield "END IF;"


def _same_owner() -> Iterator[str]:
    """What another role creates would belong to that role, and the service could not use it."""
    yield "SELECT pg_get_userbyid(relowner) INTO _owner FROM pg_class WHERE oid = to_regclass('alembic_version');"
    yield "IF _owner <> current_user THEN"
    detail = (
        "current_user || ', and alembic_version belongs to ' || _owner || '. Run it as that role, or SET ROLE first.'"
    )
    yield f"  {raised('This script is run as ', detail)}"
    yield "END IF;"


def _of_new_run(state: State) -> Iterator[str]:
    """The checks of a first run; a run that continues an interrupted one of the same script skips them."""
    online = naming.command(state.verb)
    yield f"IF EXISTS (SELECT FROM {ledger.LEASE}) THEN"
    who = f"(SELECT holder FROM {ledger.LEASE}) || '). Run {_in_text(online)} on the database, which completes it.'"
    yield f"  {raised('An earlier run did not end (', who)}"
    yield "END IF;"
    yield f"IF {state.finished} THEN"
    yield "  PERFORM set_config('migrator.state', 'done', false);"
    yield "ELSE"
    for condition, message in state.state:
        yield f"  IF NOT ({condition}) THEN {raised(message)} END IF;"
    yield f"  IF EXISTS (SELECT FROM {ledger.REVISIONS} WHERE content = '') THEN"
    yield f"    {raised(f'A downgrade is incomplete: run {online} on the database.')}"
    yield "  END IF;"
    yield from (f"  {line}" for line in _no_trash(state, online))
    for table in state.creates:
        yield f"  IF to_regclass({literal(ddl.quoted(table))}) IS NOT NULL THEN"
        yield f"    {raised(f'The database already has the table {table}, which this script would create.')}"
        yield "  END IF;"
    yield from (f"  {line}" for line in (*_no_drift(online), *state.checks))
    yield "END IF;"


def _no_trash(state: State, online: str) -> Iterator[str]:
    """Values in the trash of a revision to be applied come back with an online upgrade."""
    if not state.creates_ledger:
        return
    tags = array(dict.fromkeys(ddl.trash_tag(each) for each in state.revisions))
    columns = (
        "relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND NOT attisdropped"
    )
    for names, name in ((columns, "attname"), ("relname::text FROM pg_class", "relname")):
        pattern = f"('^_trash_(' || array_to_string({tags}, '|') || ')_')"
        here = "relnamespace = quote_ident(current_schema())::regnamespace"
        where = f"{here} AND relkind IN ('r', 'p') AND {name} ~ {pattern}"
        one = f"(SELECT {names} WHERE {where} LIMIT 1)"
        yield f"IF {one} IS NOT NULL THEN"
        detail = f"{one} || ', with the values of an earlier downgrade. Run {_in_text(online)} on the database.'"
        yield f"  {raised('The trash holds ', detail)}"
        yield "END IF;"


def _no_drift(online: str) -> Iterator[str]:
    """What only the catalog decides was decided when the revision was written: the catalog must be as then."""
    yield f"IF NOT EXISTS (SELECT FROM {ledger.CATALOG}) THEN"
    yield f"  IF {_HEADS} <> {_NONE} THEN"
    text = f"The ledger has no copy of the catalog to compare with: run {naming.command('backfill')} on the database."
    yield f"    {raised(text)}"
    yield "  END IF;"
    yield "ELSE"
    yield "  WITH kept AS (SELECT unnest(pg_temp.migrator_normal(ARRAY(SELECT jsonb_array_elements_text(lines::jsonb) "
    yield f"    FROM {ledger.CATALOG}))) AS line),"
    yield "  found AS (SELECT unnest(pg_temp.migrator_normal(pg_temp.migrator_catalog())) AS line)"
    yield "  SELECT ARRAY(SELECT '- ' || line FROM (TABLE kept EXCEPT TABLE found) AS gone UNION ALL"
    yield "    SELECT '+ ' || line FROM (TABLE found EXCEPT TABLE kept) AS come) INTO _lines;"
    yield f"  IF _lines <> {_NONE} THEN"
    detail = (
        f"array_to_string(_lines[1:3], '; ') || '. Run {_in_text(online)} on the database, which checks its steps.'"
    )
    yield f"    {raised('The schema was changed by other means since the last migration: ', detail)}"
    yield "  END IF;"
    yield "END IF;"


def _in_text(text: str) -> str:
    return text.replace("'", "''")


def preconditions(plan: Plan, needs: Sequence[Columns], checks: Sequence[Precondition]) -> Iterator[str]:
    """Raise if a table or a column is missing, or if a precondition finds rows."""
    for table, columns in needs:
        missing = f"{plan.revision} cannot be applied: the table {table} does not exist."
        yield f"IF NOT ({predicates.has_table('postgresql', table)}) THEN {raised(missing)} END IF;"
        for column in columns:
            missing = f"{plan.revision} cannot be applied: {table} has no column {column}."
            yield f"IF NOT ({predicates.has_column('postgresql', table, column)}) THEN {raised(missing)} END IF;"
    for check in checks:
        if (asked := _asked(check)) is not None:
            number = f"(SELECT count(*) FROM ({asked}) AS found) || ' rows.'"
            yield f"IF EXISTS ({asked}) THEN"
            yield f"  {raised(f'{check.why}: ', number)}"
            yield "END IF;"
        elif check.script is None:
            message = (
                f"{check.why}: this check reads {{table}} with a function, which a script cannot do. "
                f"Run {naming.command('upgrade')} on the database."
            )
            yield f"PERFORM pg_temp.migrator_empty({array(tables_of(plan))}, {literal(message)});"


def _asked(check: Precondition) -> str | None:
    """The question of a precondition as SQL; `None` where a script does not ask it."""
    if isinstance(check.rows, str):
        return check.rows
    if callable(check.rows):
        return check.script or None
    compiled = check.rows.compile(dialect=ddl.dialect("postgresql"), compile_kwargs={"literal_binds": True})
    return str(compiled)


def tables_of(plan: Plan) -> list[str]:
    """The tables that the revision changes and does not create."""
    steps = (*plan.expand, *plan.settle, *plan.contract)
    tables = (*(table for step in steps for table in step.tables), *(fill.table for fill in plan.backfills))
    return sorted(set(tables) - set(plan.creates))
