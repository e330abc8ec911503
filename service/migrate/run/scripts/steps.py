"""Steps and backfills as blocks of a script: each checks the ledger, does its work and records it, in one statement."""

from collections.abc import Iterator, Sequence

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.dialects.ddl import literal
from service.migrate.errors import Refused
from service.migrate.operations.counted import has_version, setting
from service.migrate.operations.step import Backfill, Step
from service.migrate.plan.plan import Phase
from service.migrate.run.scripts.text import block, call, comment, dollar, executed, raised
from service.migrate.state import ledger

_BATCH_ROWS = 1000
_LOCK_MILLISECONDS = 50


def steps(revision: str, phase: Phase, planned: Sequence[Step]) -> Iterator[str]:
    """The blocks of a phase.

    A step that only restores what is in the trash is skipped: the script's first statement raises if the trash holds
    something of the revision.
    """
    skipped: list[str] = []
    for position, step in enumerate(planned):
        if not step.scripted:
            skipped.append(f"PERFORM {call('skip', revision, phase, position, step.title)};")
            continue
        if step.generate is not None or (step.alone and step.done is None):
            raise Refused(
                f"{revision}: {step.title} has no script: its statements depend on what is in the database. Run "
                f"{naming.command(_COMMANDS[phase])} on the database."
            )
        yield "\n".join((_alone if step.alone else _together)(revision, phase, position, step, skipped))
        skipped = []
    if skipped:
        yield block(*skipped)


_COMMANDS = {Phase.EXPAND: "upgrade", Phase.SETTLE: "backfill", Phase.CONTRACT: "contract"}


def _together(revision: str, phase: Phase, position: int, step: Step, skipped: Sequence[str]) -> Iterator[str]:
    place = (revision, phase, position)
    timeout = [f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS};"] if step.lock.keeps_requests_waiting else []
    work = ["_outcome := 'done';", *map(executed, step.tried), *timeout, *map(executed, step.statements)]
    if not step.statements:
        work = []
    elif step.done is not None:
        work = [f"IF NOT ({step.done}) THEN", *work, "END IF;"]
    note = f"PERFORM pg_temp.migrator_note({_listed(*place)}, {literal(step.title)}, false, _outcome, _began);"
    yield comment(f"{step.title} ({step.lock})")
    yield block(
        *skipped,
        f"IF NOT {call('begin', *place)} THEN RETURN; END IF;",
        *work,
        note,
        declared=("_outcome text := 'nothing to do'", "_began timestamptz := clock_timestamp()"),
    )


def _alone(revision: str, phase: Phase, position: int, step: Step, skipped: Sequence[str]) -> Iterator[str]:
    """A block before, which records the step as incomplete, the statements, and a block after, which verifies them."""
    place, title = (revision, phase, position), literal(step.title)
    note = f"PERFORM pg_temp.migrator_note({_listed(*place)}, {title}"
    yield comment(f"{step.title} ({step.lock}), outside of a transaction")
    yield block(
        *skipped,
        f"IF {call('begin', *place)} THEN",
        "  PERFORM set_config('migrator.outcome',",
        f"    CASE WHEN ({step.done}) THEN 'nothing to do' ELSE 'done' END, false);",
        "  PERFORM set_config('migrator.began', clock_timestamp()::text, false);",
        f"  {note}, true, '', clock_timestamp());",
        "END IF;",
    )
    for statement in step.statements:
        text = dollar(statement.strip().rstrip(";"), "sql")
        yield f"SELECT {text}\nWHERE {call('open', *place)} AND NOT ({step.done}) \\gexec"
    yield block(
        f"IF {call('begin', *place)} THEN",
        f"  IF NOT ({step.done}) THEN",
        f"    {raised(f'{revision}: {step.title} failed. Run the whole script again.')}",
        "  END IF;",
        f"  {note}, false, current_setting('migrator.outcome'), current_setting('migrator.began')::timestamptz);",
        "END IF;",
    )


def _listed(*values: str | int) -> str:
    return ", ".join(literal(each) if isinstance(each, str) else str(each) for each in values)


def backfill(revision: str, fill: Backfill) -> str:
    """A loop over the batches, each with a transaction of its own; a second run begins at the first row again."""
    if fill.by is not None:
        raise Refused(
            f"{fill.title} runs a Python function, which a script cannot do. Run {naming.command('backfill')}."
        )
    if len(fill.key) > 1:
        raise Refused(f"{fill.title} has no script: its key has several columns. Run {naming.command('backfill')}.")
    table, key = ddl.quoted(fill.table), f"{ddl.quoted(fill.table)}.{ddl.quoted(fill.key[0])}"
    window = f"((_after IS NULL OR {key} > _after) AND {key} <= _upto)"
    if fill.statement is not None:
        text = fill.statement if isinstance(fill.statement, str) else fill.statement["postgresql"]
        change = text.strip().rstrip(";").replace("{batch}", window)
    else:
        settings = ", ".join(f"{ddl.quoted(name)} = {value}" for name, value in (fill.assign or {}).items())
        where = f"WHERE {window} AND ({fill.left})"
        change = f"UPDATE {table} SET {settings} {where}"
        if fill.is_change and naming.current().version_column:
            counted = f"UPDATE {table} SET {settings}, {setting()} {where}"
            asked = has_version("postgresql", fill.table)
            change = f"IF ({asked}) THEN {counted}; ELSE {change}; END IF"
    mine = f"revision = {literal(revision)} AND name = {literal(fill.name)}"
    left = f"EXISTS (SELECT FROM {table} WHERE {fill.left})"
    unless = [f"IF ({fill.unless}) THEN RETURN; END IF;"] if fill.unless else []
    loop = f"""
#variable_conflict use_column
DECLARE
  _after {key}%TYPE;
  _upto {key}%TYPE;
  _rows bigint;
  _changed bigint;
  _filled bigint := 0;
  _began timestamptz := clock_timestamp();
BEGIN
  IF NOT pg_temp.migrator_ready({literal(revision)}) THEN RETURN; END IF;
  {" ".join(unless)}
  IF EXISTS (SELECT FROM {ledger.BACKFILLS} WHERE {mine} AND state = 'done') AND NOT {left} THEN RETURN; END IF;
  IF EXISTS (SELECT FROM {ledger.BACKFILLS} WHERE {mine} AND state = 'paused') THEN
    {raised(f"{revision}: {fill.title} is paused. Run {naming.command('backfill --resume')}.")}
  END IF;
  DELETE FROM {ledger.BACKFILLS} WHERE {mine};
  INSERT INTO {ledger.BACKFILLS}
    (revision, name, state, passes, seen, total, filled, batch, seconds, started_at, changed_at)
  SELECT {literal(revision)}, {literal(fill.name)}, 'running', 1, 0, count(*), 0, {_BATCH_ROWS}, 0, _began, _began
  FROM {table};
  COMMIT;
  LOOP
    PERFORM pg_temp.migrator_renew();
    SELECT _key, count(*) OVER () INTO _upto, _rows FROM (
      SELECT {key} AS _key FROM {table} WHERE _after IS NULL OR {key} > _after ORDER BY {key} LIMIT {_BATCH_ROWS}
    ) AS batch ORDER BY _key DESC LIMIT 1;
    EXIT WHEN _upto IS NULL;
    {change};
    GET DIAGNOSTICS _changed = ROW_COUNT;
    _filled := _filled + _changed;
    UPDATE {ledger.BACKFILLS} SET seen = seen + _rows, filled = _filled, changed_at = clock_timestamp(),
      seconds = extract(epoch FROM clock_timestamp() - _began)
    WHERE {mine} AND state = 'running';
    IF NOT FOUND THEN
      {raised(f"{revision}: {fill.title} was paused or cancelled. Filled rows stay filled.")}
    END IF;
    COMMIT;
    _after := _upto;
  END LOOP;
  IF {left} THEN
    {raised(f"{revision}: {fill.title} does not fill some rows of {fill.table} that meet `left`.")}
  END IF;
  UPDATE {ledger.BACKFILLS} SET state = 'done', changed_at = clock_timestamp() WHERE {mine};
  PERFORM pg_temp.migrator_audit({literal(revision)}, 'backfill', {literal(fill.title)}, 'done', _began, _filled);
END"""
    return (
        comment(f"{fill.title}, in batches; run outside of a transaction")
        + f"\n{dollar(loop.strip(), 'fill', prefix='DO ')};"
    )
