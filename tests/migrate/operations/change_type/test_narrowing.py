"""Downgrade of a widened column on PostgreSQL: its indexes and constraints are rebuilt without blocking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, Engine, event

from service.migrate.errors import Refused
from service.migrate.operations.step import Backfill, Step
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import plan
from tests.migrate.operations.live import Live, changes, live
from tests.migrate.project import Project

TABLES = (
    "CREATE TABLE u (code varchar(90) PRIMARY KEY, n integer, CONSTRAINT uq_u UNIQUE (code, n))",
    'CREATE TABLE "T" (id integer PRIMARY KEY, "C" varchar(50) NOT NULL, n integer DEFAULT 1, d text)',
)
ROWS = (
    "INSERT INTO u SELECT 'c' || n, n FROM generate_series(1, 700) AS n",
    """INSERT INTO "T" SELECT n, 'c' || n, n FROM generate_series(1, 700) AS n""",
)
UP = """
ops.change_type("T", sa.Column("C", sa.String(50), nullable=False), sa.Column("C", sa.{wide}, nullable=False))
"""
# What is on the column, in words and in SQL.
KINDS = {
    "nothing": ("""COMMENT ON COLUMN "T"."C" IS 'what it is'""",),
    "plain": ('CREATE INDEX ix ON "T" ("C")',),
    "unique": ('CREATE UNIQUE INDEX "Ux" ON "T" ("C")', """COMMENT ON INDEX "Ux" IS 'it''s one'"""),
    "partial": ("""CREATE UNIQUE INDEX ux ON "T" (n) WHERE "C" = 'c1' OR n > 2""",),
    "expression": ('CREATE INDEX ix ON "T" (lower("C"), (n + 1), upper("C" || d))',),
    "several columns": ('CREATE UNIQUE INDEX ux ON "T" (n DESC NULLS LAST, "C" DESC, d) NULLS NOT DISTINCT',),
    "include": ('CREATE INDEX ix ON "T" (n) INCLUDE ("C", d) WITH (fillfactor=70)',),
    "classes": (
        'CREATE INDEX ix ON "T" ("C" COLLATE "C" varchar_pattern_ops, n)',
        'CREATE INDEX h ON "T" USING hash ("C")',
    ),
    "alike": ('CREATE INDEX i2 ON "T" ("C")', 'CREATE INDEX i1 ON "T" ("C")', 'CREATE INDEX "i 3" ON "T" (n)'),
    "long names": (f'CREATE INDEX {"i" * 63} ON "T" ("C")', f'CREATE INDEX {"i" * 62}j ON "T" ("C" DESC)'),
    "unique constraint": (
        'ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE ("C")',
        """COMMENT ON CONSTRAINT uq ON "T" IS 'one'""",
    ),
    "unique constraint of several": (
        'ALTER TABLE "T" ADD CONSTRAINT "Uq" UNIQUE NULLS NOT DISTINCT (d, "C") INCLUDE (n)',
    ),
    "unique constraint that includes": ('ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE (n) INCLUDE ("C")',),
    "check": ("""ALTER TABLE "T" ADD CONSTRAINT ck CHECK ("C" <> '' AND length("C") + n > 0) NO INHERIT""",),
    "foreign key": (
        """ALTER TABLE "T" ADD CONSTRAINT fk FOREIGN KEY ("C") REFERENCES u ON DELETE CASCADE ON UPDATE CASCADE
        DEFERRABLE INITIALLY DEFERRED""",
        'ALTER TABLE "T" ADD CONSTRAINT fk2 FOREIGN KEY ("C", n) REFERENCES u (code, n) MATCH FULL NOT VALID',
    ),
    "foreign key to itself": (
        'ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE (d)',
        """UPDATE "T" SET d = "C" """,
        'ALTER TABLE "T" ADD CONSTRAINT fk FOREIGN KEY ("C") REFERENCES "T" (d)',
    ),
    "all": (
        'CREATE INDEX ix ON "T" ("C")',
        'ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE ("C")',
        """ALTER TABLE "T" ADD CONSTRAINT ck CHECK ("C" <> '')""",
        'ALTER TABLE "T" ADD CONSTRAINT fk FOREIGN KEY ("C") REFERENCES u',
    ),
    "grant": ('GRANT SELECT ("C") ON "T" TO pg_monitor',),
}
# What a type is not changed with on the way up: it comes later.
LATER = {
    "check": 'ALTER TABLE "T" DROP CONSTRAINT ck',
    "check that some rows are not as": 'ALTER TABLE "T" DROP CONSTRAINT old',
    "all": 'DROP INDEX ix; ALTER TABLE "T" DROP CONSTRAINT uq, DROP CONSTRAINT ck, DROP CONSTRAINT fk',
    "statistics": "DROP STATISTICS st",
}
# Dependents that cannot be built on a shadow column.
IN_PLACE = {
    "deferrable": ('ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE ("C") DEFERRABLE',),
    "referred to": (
        'ALTER TABLE "T" ADD CONSTRAINT uq UNIQUE ("C")',
        'CREATE TABLE v (c varchar(50) CONSTRAINT fk REFERENCES "T" ("C"))',
    ),
    "primary key": ('ALTER TABLE "T" DROP CONSTRAINT "T_pkey", ADD CONSTRAINT pk PRIMARY KEY ("C")',),
    "statistics": ('CREATE STATISTICS st ON "C", n FROM "T"',),
    "exclusion": ('ALTER TABLE "T" ADD CONSTRAINT ex EXCLUDE USING btree ("C" WITH =)',),
    "replica identity": ('CREATE UNIQUE INDEX ux ON "T" ("C")', 'ALTER TABLE "T" REPLICA IDENTITY USING INDEX ux'),
    "check that some rows are not as": ("""ALTER TABLE "T" ADD CONSTRAINT old CHECK ("C" <> 'c1') NOT VALID""",),
    "whole row": ("""ALTER TABLE "T" ADD CONSTRAINT ck CHECK ("T" IS DISTINCT FROM NULL)""",),
    "part of a key that is emptied": (
        'ALTER TABLE "T" ADD CONSTRAINT fk FOREIGN KEY ("C", n) REFERENCES u (code, n) ON DELETE SET NULL (n)',
    ),
}
FILE = """SELECT pg_relation_filenode('"T"')"""
TOLD = """
SELECT coalesce(obj_description(c.oid, 'pg_class'), obj_description(con.oid, 'pg_constraint')) AS told
FROM pg_class c LEFT JOIN pg_constraint con ON conindid = c.oid WHERE c.relkind = 'i'
UNION ALL SELECT concat(col_description(attrelid, attnum), attacl, attstorage, attcompression, attstattarget)
FROM pg_attribute WHERE attrelid = '"T"'::regclass AND attname = 'C'
ORDER BY 1
"""
LOCKED = """
SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks WHERE pid = pg_backend_pid() AND relation = to_regclass('"T"')
AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
"""
READ = """SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = to_regclass('"T"')"""


REFUSED = {
    "uq": """INSERT INTO "T" (id, "C") VALUES (-1, 'c1')""",
    "ck": """UPDATE "T" SET "C" = '' WHERE id = 1""",
    "fk": """INSERT INTO "T" (id, "C") VALUES (-1, 'nobody')""",
}


@contextmanager
def scans() -> Iterator[list[str]]:
    """Statements of this process that read all of the table while requests wait for it."""
    found: list[str] = []
    read: list[int] = []

    def ask(cursor: Any, question: str) -> Any:
        cursor.execute(question)
        return (cursor.fetchone() or (None,))[0]

    def before(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        read[:] = [ask(cursor, READ) or 0] if connection.dialect.name == "postgresql" else []

    def after(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("ALTER", "DO", "CREATE")) and ask(cursor, LOCKED) and read[0] < ask(cursor, READ):
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    yield found
    event.remove(Engine, "before_cursor_execute", before)
    event.remove(Engine, "after_cursor_execute", after)


async def prepare(it: Live, things: tuple[str, ...]) -> None:
    for statement in (*TABLES, *ROWS, *things):
        await it.execute(statement)


async def up(it: Live, kind: str) -> None:
    for statement in LATER.get(kind, "").split(";"):
        await it.execute(statement)
    await it.up()
    if kind in LATER:
        for statement in (KINDS | IN_PLACE)[kind]:
            await it.execute(statement)


@pytest.mark.parametrize(
    ("kind", "wide"),
    [*((kind, "String(90)") for kind in KINDS), *((kind, "Text()") for kind in ("partial", "expression", "all"))],
)
async def test_what_is_on_a_column_is_made_beside_the_traffic(
    empty_postgres_url: str, project: Project, kind: str, wide: str
) -> None:
    async with live(empty_postgres_url, project, base="pass", rows=(), up=UP.format(wide=wide)) as it:
        await prepare(it, KINDS[kind])
        before, told, file = await it.state(), await it.execute(TOLD), await it.value(FILE)
        await up(it, kind)
        with scans() as found:
            await it.down()
        assert changes(before, await it.state()) == []
        assert (await it.execute(TOLD), await it.value(FILE), found) == (told, file, [])


@pytest.mark.parametrize("kind", IN_PLACE)
async def test_what_cannot_be_made_beside_stays_and_the_column_is_written_again(
    empty_postgres_url: str, project: Project, kind: str
) -> None:
    async with live(empty_postgres_url, project, base="pass", rows=(), up=UP.format(wide="String(90)")) as it:
        await prepare(it, IN_PLACE[kind])
        before, file = await it.state(), await it.value(FILE)
        await up(it, kind)
        with scans() as found:
            await it.down()
        assert changes(before, await it.state()) == []
        assert await it.value(FILE) != file
        assert len(found) == 1


async def write(connection: asyncpg.Connection, number: int) -> dict[str, str]:
    """Repeated writes of the old and the new version, and the constraint that rejects each wrong write."""
    name = f"c{number % 700 + 1}"
    upsert = (
        """INSERT INTO "T" (id, "C", n) VALUES ($1, $2, $3) ON CONFLICT ("C") DO UPDATE SET n = $3 RETURNING "C", n"""
    )
    (row,) = await connection.fetch(upsert, 1000 + number, name, number)
    assert tuple(row) == (name, number)
    await connection.execute("""UPDATE "T" SET "C" = 'c701' WHERE "C" = $1""", name)
    await connection.execute("""UPDATE "T" SET "C" = $1 WHERE "C" = 'c701'""", name)
    refused = {}
    for constraint, statement in REFUSED.items():
        try:
            await connection.execute(statement)
        except asyncpg.IntegrityConstraintViolationError as error:
            refused[constraint] = str(error.constraint_name)
    return refused


async def test_requests_go_on_at_every_moment_of_it_and_are_held_to_the_same(
    empty_postgres_url: str, project: Project
) -> None:
    async with live(empty_postgres_url, project, base="pass", rows=(), up=UP.format(wide="String(90)")) as it:
        await prepare(it, ("INSERT INTO u VALUES ('c701')", *KINDS["all"]))
        await up(it, "all")
        before = [row["C"] for row in await it.execute("""SELECT "C" FROM "T" ORDER BY id""")]
        connection = await asyncpg.connect(empty_postgres_url, statement_cache_size=0)
        going, number = asyncio.create_task(it.down()), 0
        while not going.done():
            number += 1
            assert await write(connection, number) == {each: each for each in REFUSED}
        await going
        assert await write(connection, 0) == {each: each for each in REFUSED}
        await connection.close()
        # More than a write between any two steps.
        assert number > 20
        assert [row["C"] for row in await it.execute("""SELECT "C" FROM "T" ORDER BY id""")] == before


async def test_a_build_that_failed_is_done_again(empty_postgres_url: str, project: Project) -> None:
    change = UP.format(wide="String(90)").replace("))\n", '), back="left({}, 9)")\n')
    async with live(empty_postgres_url, project, base="pass", rows=(), up=change) as it:
        await prepare(it, KINDS["unique constraint"])
        before = await it.state()
        await it.up()
        await it.execute("""INSERT INTO "T" (id, "C") VALUES (701, 'the same but'), (702, 'the same and')""")
        with pytest.raises(Refused, match="could not create unique index"):
            await it.down()
        invalid = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"
        assert await it.execute(invalid) == [{"name": "uq_next"}]
        await it.execute('DELETE FROM "T" WHERE id > 700')
        await it.down()
        assert changes(before, await it.state()) == []


async def test_the_swap_raises_before_it_loses_an_index(empty_postgres_url: str, project: Project) -> None:
    """The statements without the steps that build indexes and constraints on the shadow column."""
    async with live(empty_postgres_url, project, base="pass", rows=(), up=UP.format(wide="String(90)")) as it:
        await prepare(it, KINDS["plain"])
        await it.up()
        found = plan(scripts().get_revision("0002_change"), "postgresql")
        assert found is not None
        *others, swap = (action for step in found.expand for action in step.undo)
        for action in others:
            if isinstance(action, Backfill):
                assert action.assign is not None
                ((name, value),) = action.assign.items()
                await it.execute(f'UPDATE "T" SET "{name}" = {value} WHERE {action.left}')
            elif action.scripted:
                for statement in action.statements:
                    await it.execute(statement)
        assert isinstance(swap, Step)
        text = "; ".join(swap.statements)
        with pytest.raises(asyncpg.PostgresError, match=r"T\.C has an index or a constraint that _next_C lacks"):
            await it.store.connection.execute(text)
        await it.execute("DROP INDEX ix")
        await it.store.connection.execute(text)
        assert "column T.C character varying(50) not null collate default" in await it.catalog()
