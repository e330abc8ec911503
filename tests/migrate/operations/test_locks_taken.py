"""PostgreSQL takes the locks that each step declares, in the upgrade and in the downgrade."""

import asyncpg

from service.migrate.operations.step import Lock, Step
from tests.migrate.operations.every import CASES, steps
from tests.migrate.operations.test_locks import strongest
from tests.migrate.operations.written import Case
from tests.migrate.project import Project

# What a trigger calls; its own text is SQLite's.
FUNCTION = "CREATE FUNCTION t_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
THERE = "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
TAKEN = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY($1::oid[])"
# What requests take themselves.
HARMLESS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
MODES = {f"{lock.title().replace(' ', '')}Lock": lock for lock in Lock}


async def begin(connection: asyncpg.Connection, case: Case) -> None:
    tables = [each for each in case.tables if "TRIGGER" not in each]
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", *tables, FUNCTION):
        await connection.execute(statement)


async def wrong(connection: asyncpg.Connection, step: Step) -> list[str]:
    """Run a step unless it is done, and yield the locks that differ from the declared one."""
    if step.done is not None and await connection.fetchval(step.done):
        return []
    if step.alone:
        for statement in step.statements:
            await connection.execute(statement)
        return []
    there = {row["oid"]: row["relname"] for row in await connection.fetch(THERE)}
    async with connection.transaction():
        for statement in step.statements:
            await connection.execute(statement)
        found = await connection.fetch(TAKEN, list(there))
    locks = {(there[row["relation"]], MODES[row["mode"]]) for row in found if row["mode"] not in HARMLESS}
    tables = {name for name, _ in locks}
    if strongest(lock for _, lock in locks) == step.lock and tables == set(step.tables):
        return []
    return [f"{step.title}: says {step.lock} on {step.tables}, took {sorted(locks)}"]


async def test_a_step_locks_what_it_says(empty_postgres_url: str, project: Project) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    found = []
    for name, case in CASES.items():
        await begin(connection, case)
        plan = case.planned(project, "postgresql")
        up = (*plan.expand, *plan.settle, *plan.contract)
        back = [action for step in reversed(up) for action in step.undo]
        for step in steps(up):
            found += await wrong(connection, step)
        if name.startswith("create_table"):
            # Else there is nothing to keep aside.
            await connection.execute("INSERT INTO u DEFAULT VALUES")
        for step in steps((*back, *up, *plan.purge)):
            found += await wrong(connection, step)
    await connection.close()
    assert found == []
