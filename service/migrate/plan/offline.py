"""A phase of a revision as SQL for PostgreSQL, to be read before it is run: each step a transaction of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext

from service.migrate import naming
from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.operations.step import Backfill, Move, Step
from service.migrate.plan.plan import plan

_BATCH_ROWS = 1000
_LOCK_MILLISECONDS = 50


def written_steps(find: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
    """Alembic's list of revisions to upgrade to, of which ours write their steps instead of running them.

    Raises:
        Refused: they are revisions to downgrade from.
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
    # A contract, a purge and rows that were written since all change what a downgrade has to do.
    return Refused(
        "A downgrade is not written as a script: its steps depend on what the database's revisions have done. "
        f"Run {naming.command('downgrade REVISION')} against the database itself."
    )


def script(moves: Sequence[Move], dialect: str) -> str:
    """The steps as text.

    Raises:
        Refused: one of them needs the database at hand, or Python.
    """
    return "\n\n".join(_written(move, dialect) for move in moves if not isinstance(move, Step) or move.scripted)


def _writer(migration: MigrationContext, moves: Sequence[Move]) -> Callable[..., None]:
    def write(**_: Any) -> None:
        text = script(moves, migration.dialect.name)
        if not text:
            return
        # Alembic has begun a transaction for all of the revision, and ends it behind its stamp.
        migration.impl.emit_commit()
        migration.impl.static_output(text)
        migration.impl.emit_begin()

    return write


def _written(move: Move, dialect: str) -> str:
    if isinstance(move, Backfill):
        return _script_of(move, dialect)
    if move.edit is not None or (move.made is not None and dialect == "sqlite"):
        raise Refused(
            "A script cannot alter a table on SQLite, where the new table is made from the one in the file. "
            "Name a PostgreSQL URL for a script, or run the migration against the SQLite file itself."
        )
    statements = [f"{statement.rstrip(';')};" for statement in move.statements]
    if dialect == "sqlite":
        return "\n".join([f"-- {move.title}", *statements])
    lines = [f"-- {move.title} ({move.lock})"]
    if move.alone:
        return "\n".join([*lines, *statements])
    timeout = [f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS};"] if move.lock.keeps_requests_waiting else []
    return "\n".join([*lines, "BEGIN;", *timeout, *statements, "COMMIT;"])


def _script_of(backfill: Backfill, dialect: str) -> str:
    if backfill.by is not None:
        raise Refused(
            f"{backfill.title} runs a Python function, which a script cannot. Run {naming.command('backfill')}."
        )
    if len(backfill.key) > 1 or dialect == "sqlite":
        raise Refused(f"{backfill.title} cannot be written as a script. Run {naming.command('backfill')}.")
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
