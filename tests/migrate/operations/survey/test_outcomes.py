"""What each operation does with everything else that is on its table: the table in the guide, made by real runs."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import Connection, make_url

from service.db.engine import Purpose, create_engine
from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.inventory import inventory
from service.migrate.entrypoints import aio
from service.migrate.operations.survey.policy import REPLACES_COLUMN
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import plan
from tests.alembic.store import Store, opened
from tests.migrate.operations.survey import on_postgresql, on_sqlite
from tests.migrate.operations.survey.changes import CHANGES, Run, revision
from tests.migrate.operations.survey.kinds import BY_DEPENDENTS, Kind, bound
from tests.migrate.project import Project
from tests.project.files import read

pytestmark = pytest.mark.slow

T = TypeVar("T")
Outcomes = dict[Attribute, set[str]]
GUIDE = read("docs/schema-changes.md").partition("## What else may be on a table")[2].partition("\n## ")[0]
NONE = "none"


async def test_the_guide_has_what_each_operation_does_with_what_is_on_sqlite(
    tmp_path_factory: pytest.TempPathFactory, project: Project
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('outcomes') / 'roster.db'}"
    async with opened(url) as store:
        await base(url, project)
        await executed(store, on_sqlite.SETUP)
        assert lines(await outcomes(store, project, on_sqlite.KINDS)) == told("SQLite")


async def test_the_guide_has_what_each_operation_does_with_what_is_on_postgresql(
    empty_postgres_url: str, project: Project
) -> None:
    name = make_url(empty_postgres_url).database
    roles = {"reader": f"reader_{name}", "owner": f"owner_{name}"}
    async with opened(empty_postgres_url) as store:
        await base(empty_postgres_url, project)
        await executed(store, "".join(f"CREATE ROLE {role};" for role in roles.values()))
        try:
            await executed(store, on_postgresql.SETUP)
            kinds = {key: bound(kind, roles) for key, kind in on_postgresql.KINDS.items()}
            assert lines(await outcomes(store, project, kinds)) == told("PostgreSQL")
        finally:
            await executed(store, "".join(f"DROP OWNED BY {role}; DROP ROLE {role};" for role in roles.values()))


async def base(url: str, project: Project) -> None:
    project.clear()
    project.add_safe("0001_base", after=None)
    await aio.upgrade(url, "0001")


async def outcomes(store: Store, project: Project, kinds: Mapping[str, Kind]) -> tuple[Outcomes, Outcomes]:
    """The operations that are refused with each attribute, and those that carry it; asserts that none is lost."""
    refused = await refusals(store, project, kinds)
    runs = []
    for number, operation in enumerate(CHANGES):
        for at, kind in enumerate(kinds.values()):
            if kind.is_run(operation):
                run = Run(operation, f"t{number}_{at}", dict(kind.definitions))
                for statement in (*kind.statements(run.table, operation), f"INSERT INTO {run.table} (id) VALUES (1)"):
                    await executed(store, statement)
                runs.append(run)
    return refused, await carried(store.url, project, runs)


async def refusals(store: Store, project: Project, kinds: Mapping[str, Kind]) -> Outcomes:
    """Ask for each operation on a table of each kind with everything on it."""
    tables = {f"full_{at}": kind for at, kind in enumerate(kinds.values())}
    there: dict[str, set[Found]] = {}
    for table, kind in tables.items():
        for statement in kind.statements(table, None):
            await executed(store, statement)
        there |= await inventories(store.url, [table], first=kind.first.replace("{t}", table))
    runs = [Run(operation, table, dict(kind.definitions)) for table, kind in tables.items() for operation in CHANGES]
    project.add_safe("0002_change", after="0001_base", **revision(runs))
    script = scripts().get_revision("0002_change")
    assert script is not None
    found = plan(script, store.backend)
    assert found is not None
    refused: Outcomes = defaultdict(set)
    for survey in (*found.surveys, *found.contract_surveys):
        for each in there.get(survey.table, ()):
            if list(survey.refusals([each], str)):
                refused[each.attribute].add(survey.name)
    for operation, attribute in BY_DEPENDENTS:
        if any(each.attribute is attribute for found_there in there.values() for each in found_there):
            refused[attribute].add(operation)
    return refused


async def carried(url: str, project: Project, runs: Sequence[Run]) -> Outcomes:
    """Run all operations through their phases and back; what has another name in between was carried."""
    before = await inventories(url, [run.table for run in runs])
    project.add_safe("0002_change", after="0001_base", **revision(runs))
    await aio.upgrade(url)
    await aio.backfill(url)
    await aio.contract(url)
    after = await inventories(url, [run.after for run in runs])
    found: Outcomes = defaultdict(set)
    lost = {}
    for run in runs:
        was = {each for each in before[run.table] if not is_changed(run, each)}
        lost[run.operation, run.table] = was - named(run, after[run.after])
        for each in was:
            is_replaced = run.operation in REPLACES_COLUMN and each.column == "a"
            if is_replaced or each not in after[run.after]:
                found[each.attribute].add(run.operation)
    assert {key: missing for key, missing in lost.items() if missing} == {}
    await aio.contract(url, undo=True)
    await aio.downgrade(url, "0001")
    again = await inventories(url, [run.table for run in runs])
    assert {table: before[table] ^ again[table] for table in before if before[table] != again[table]} == {}
    return found


def is_changed(run: Run, found: Found) -> bool:
    """Whether it is what the operation changes."""
    if found.attribute is Attribute.COLUMN_COMMENT:
        return run.operation == "set_comment"
    if found.attribute is not Attribute.DEFAULT:
        return False
    # 'x'::text after 'x'::character varying.
    return run.operation == "set_default" or (run.operation == "change_type" and "nextval" not in found.definition)


def named(run: Run, found: set[Found]) -> set[Found]:
    """What was found after the contract, with the names from before; a sequence is as wide as its column."""
    names = {run.after: run.table, run.change.to: "a", "bigint": "integer"}
    word = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def back(text: str) -> str:
        return word.sub(lambda match: names[match[0]], text)

    return {
        Found(each.attribute, each.column and back(each.column), back(each.name), back(each.definition))
        for each in found
    }


async def inventories(url: str, tables: Sequence[str], first: str = "") -> dict[str, set[Found]]:
    def ask(connection: Connection) -> dict[str, set[Found]]:
        if first:
            connection.exec_driver_sql(first)
        return {table: set(inventory(connection, table)) for table in tables}

    return await asked(url, ask)


async def asked(url: str, function: Callable[[Connection], T]) -> T:
    engine = create_engine(url, Purpose.MIGRATE)
    async with engine.connect() as connection:
        found = await connection.run_sync(function)
    await engine.dispose()
    return found


async def executed(store: Store, statements: str) -> None:
    if store.backend == "postgresql":
        await store.connection.execute(statements)
    else:
        store.connection.executescript(statements)


def lines(found: tuple[Outcomes, Outcomes]) -> list[str]:
    """The rows of the table in the guide."""
    refused, carried = found
    return [
        f"| {attribute} | {listed(refused[attribute])} | {listed(carried[attribute])} |"
        for attribute in Attribute
        if refused[attribute] or carried[attribute]
    ]


def listed(operations: set[str]) -> str:
    """The operations in words; all but one or two as such."""
    missing = set(CHANGES) - operations
    if len(missing) < 2:
        return " ".join(["all", *(f"but {name}" for name in missing)])
    return ", ".join(sorted(operations)) or NONE


def told(database: str) -> list[str]:
    part = GUIDE.partition(f"On {database}:")[2].partition("\nOn ")[0]
    return [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| on the")]
