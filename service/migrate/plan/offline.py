"""`--sql`: a phase of a revision as a PostgreSQL script for review, with a transaction for each step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.step import Action, Backfill, Step
from service.migrate.plan.plan import plan

_BATCH_ROWS = 1000
_LOCK_MILLISECONDS = 50


def written_steps(find: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
    """Alembic's list of revisions to upgrade, in which revisions with safe operations write their steps.

    Raises:
        Refused: the list is of a downgrade.
    """
    if find.__name__ == "downgrade":
        raise no_downgrade()

    def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterator[Any]:
        for step in find(heads, migration):
            found = None if step.info.is_stamp else plan(step.revision, migration.dialect.name)
            if found is not None:
                step.migration_fn = _writer(migration, found.expand)
            yield step

    return steps


def no_downgrade() -> Refused:
    return Refused(
        "A downgrade has no script: its steps depend on what was contracted, purged and written in the database. "
        f"Run {naming.command('downgrade REVISION')} on the database."
    )


def script(actions: Sequence[Action], dialect: str) -> str:
    """The steps as text.

    Raises:
        Refused: a step reads the database, or runs Python.
    """
    return "\n\n".join(
        _written(action, dialect) for action in actions if not isinstance(action, Step) or action.scripted
    )


def _writer(migration: MigrationContext, actions: Sequence[Action]) -> Callable[..., None]:
    def write(**_: Any) -> None:
        text = script(actions, migration.dialect.name)
        if not text:
            return
        # Alembic opens one transaction for the revision and its stamp; the steps have their own transactions.
        migration.impl.emit_commit()
        migration.impl.static_output(text)
        migration.impl.emit_begin()

    return write


def _written(action: Action, dialect: str) -> str:
    if isinstance(action, Backfill):
        return _script_of(action, dialect)
    if action.edit is not None or (action.generate is not None and dialect == "sqlite"):
        raise Refused(
            "A script cannot alter a table on SQLite: a rebuild needs the table's definition from the file. "
            "Pass a PostgreSQL URL, or run the migration on the SQLite file."
        )
    statements = [f"{statement.rstrip(';')};" for statement in action.statements]
    if dialect == "sqlite":
        return "\n".join([f"-- {action.title}", *statements])
    lines = [f"-- {action.title} ({action.lock})"]
    if action.alone:
        return "\n".join([*lines, *statements])
    timeout = [f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS};"] if action.lock.keeps_requests_waiting else []
    return "\n".join([*lines, "BEGIN;", *timeout, *statements, "COMMIT;"])


def _script_of(backfill: Backfill, dialect: str) -> str:
    if backfill.by is not None:
        raise Refused(
            f"{backfill.title} runs a Python function, which a script cannot do. Run {naming.command('backfill')}."
        )
    if len(backfill.key) > 1 or dialect == "sqlite":
        reason = "SQLite has no procedural SQL" if dialect == "sqlite" else "its key has several columns"
        raise Refused(f"{backfill.title} has no script: {reason}. Run {naming.command('backfill')}.")
    table, key = ddl.quoted(backfill.table), f"{ddl.quoted(backfill.table)}.{ddl.quoted(backfill.key[0])}"
    window = f"({key} > coalesce(after, {key} - 1) AND {key} <= upto)"
    if backfill.statement is not None:
        text = backfill.statement if isinstance(backfill.statement, str) else backfill.statement[dialect]
        change = text.replace("{batch}", window)
    else:
        settings = ", ".join(f"{ddl.quoted(name)} = {value}" for name, value in (backfill.assign or {}).items())
        change = f"UPDATE {table} SET {settings} WHERE {window} AND ({backfill.left})"
    return f"""-- {backfill.title}, in batches; run outside of a transaction
DO $fill$
DECLARE
  after {key}%TYPE;
  upto {key}%TYPE;
BEGIN
  LOOP
    SELECT max(key) INTO upto FROM (
      SELECT {key} AS key FROM {table} WHERE after IS NULL OR {key} > after ORDER BY {key} LIMIT {_BATCH_ROWS}
    ) AS batch;
    EXIT WHEN upto IS NULL;
    {change};
    COMMIT;
    after := upto;
  END LOOP;
END $fill$;"""
