"""Scripts through psql: they keep the ledger as online runs do, and change nothing in a database of another state."""

import asyncio
import re
import secrets
import subprocess
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import make_url

from service.migrate.entrypoints import aio, commands
from service.migrate.entrypoints.status import status
from service.migrate.errors import Refused
from tests.alembic.store import opened
from tests.migrate.operations.live import Live, live
from tests.migrate.project import Project
from tests.postgres import fresh_database, psql, psql_command

UP = """
ops.rename_column("t", sa.Column("a", sa.String(50), nullable=False), sa.Column("c", sa.String(50), nullable=False))
ops.create_index("ix_t_b", "t", ["b"])
ops.add_column("t", sa.Column("d", sa.Integer()))
ops.execute(
    "insert a row",
    postgresql=["INSERT INTO t (id, a) VALUES (9, 'nine')"],
    undo_postgresql=["DELETE FROM t WHERE id = 9"],
)
"""
CONTRACT = 'ops.drop_column("t", sa.Column("b", sa.Integer(), server_default="1"))'
FREE = 'ops.drop_index("ix_t_b", "t", ["b"])\n' + CONTRACT
IGNORING = ("--set=ON_ERROR_STOP=0",)


def run(it: Live, script: str, *options: str) -> str:
    """Run it through psql, and return the error messages."""
    done = psql(it.url, script, *options)
    return done.stderr


def script(it: Live, phase: str, revision: str = "0002") -> str:
    if phase == "upgrade":
        return commands.script(it.url, "0001:0002")
    return commands.phase_script(it.url, phase, revision)


async def told(it: Live) -> dict[str, Any]:
    """What `status` says, the records of the ledger and the steps of the audit."""
    found = asdict(await status(it.url)) | {"database": ""}
    for table, names in {
        "steps": "revision, phase, position, title, half",
        "revisions": "revision, content, code_version",
        "fills": "revision, name, state, filled",
        "purged": "revision, name, lost",
        "contracts": "revision",
    }.items():
        found[table] = await it.execute(f"SELECT {names} FROM migration_{table} ORDER BY {names}")
    audited = (
        "SELECT revision, phase, step, outcome FROM migration_audit WHERE revision = '0002_change' ORDER BY 1, 2, 3"
    )
    found["audit"] = await it.execute(audited)
    return found


@pytest.mark.slow
async def test_scripts_keep_the_ledger_as_online_runs_do(postgres_admin_url: str, project: Project) -> None:
    async with (
        fresh_database(postgres_admin_url) as one,
        fresh_database(postgres_admin_url) as other,
        live(one, project, up=UP, contract=FREE) as online,
        live(other, project, up=UP, contract=FREE) as scripted,
    ):
        verbs = {"upgrade": online.up, "backfill": online.backfill, "contract": online.contract, "purge": online.purge}
        for phase, verb in verbs.items():
            await verb()
            text = script(scripted, phase)
            assert (phase, run(scripted, text)) == (phase, "")
            assert (phase, await told(scripted)) == (phase, await told(online))
            assert await scripted.state() == await online.state()
            # A second run finds nothing to do, with and without ON_ERROR_STOP.
            assert (phase, run(scripted, text), run(scripted, text, *IGNORING)) == (phase, "", "")
            assert (phase, await told(scripted)) == (phase, await told(online))
        assert (await status(other)).phases.drift == ()


@pytest.mark.slow
async def test_a_script_does_nothing_in_a_database_of_another_state(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, up=UP, contract=FREE) as it:
        before = await it.state()

        async def refused(phase: str, message: str, *options: str) -> None:
            for others in (options, (*options, *IGNORING)):
                errors = run(it, script(it, phase), *others)
                assert (phase, message in errors) == (phase, True), errors
                assert (await it.state(), await it.execute("SELECT * FROM migration_lease")) == (before, [])
                assert (errors.count("ERROR") == 1) is (others == options)

        await refused("backfill", "0002_change is not applied")
        await refused("upgrade", "run it without --single-transaction", "--single-transaction")
        await it.execute("CREATE VIEW seen AS SELECT a FROM t")
        before = await it.state()
        await refused("upgrade", "The schema was changed by other means since the last migration: + column seen.a")
        await it.execute("DROP VIEW seen")
        # Known to the ledger, as an object is that was there before the first migration.
        for statement in (
            "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := 1; RETURN NEW; END $$",
            "CREATE TRIGGER seen BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION seen()",
            "DELETE FROM migration_catalog",
        ):
            await it.execute(statement)
        await it.backfill()
        before = await it.state()
        await refused("upgrade", "The trigger seen, which no revision made, uses a table of this script.")
        await it.execute("DROP FUNCTION seen CASCADE")
        before = await it.state()
        await it.execute("DELETE FROM migration_catalog")
        await refused("upgrade", "The ledger has no copy of the catalog to compare with: run `roster db backfill`")
        await it.backfill()
        await it.execute("INSERT INTO migration_lease VALUES (1, 'x', 'someone', now(), now())")
        assert "An earlier run did not end (someone). Run `roster db upgrade`" in run(it, script(it, "upgrade"))
        await it.execute("DELETE FROM migration_lease")
        async with opened(it.url) as keeper:
            await keeper.execute(f"SELECT pg_advisory_lock({LOCK})")
            assert "Another migrator works on this database." in run(it, script(it, "upgrade"))
        await it.execute("DROP ROLE IF EXISTS stranger")
        await it.execute("CREATE ROLE stranger LOGIN SUPERUSER")
        errors = run(it, "SET ROLE stranger;\n" + script(it, "upgrade"), *IGNORING)
        await it.execute("DROP ROLE stranger")
        assert "This script is run as stranger, and alembic_version belongs to postgres" in errors
        text = script(it, "upgrade")
        await it.up()
        await it.down()
        assert "The trash holds t._trash_0002_d, with the values of an earlier downgrade." in run(it, text)
        await it.up()
        before = await it.state()
        await refused("contract", "0002_change cannot be contracted: its backfill is not complete.")
        await refused("purge", "0002_change cannot be purged: its contract is not complete.")
        await it.backfill()
        sync = await it.value("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        await it.execute(f"ALTER TABLE t DISABLE TRIGGER {sync}")
        await it.execute("INSERT INTO t (id, a, c) VALUES (20, 'x', 'y')")
        await it.execute(f"ALTER TABLE t ENABLE ALWAYS TRIGGER {sync}")
        before = await it.state()
        await refused("contract", "rows of t were written after the backfill")


LOCK = int.from_bytes(b"Roster", "big")


WAITING = """
ops.execute("needs u", postgresql=["INSERT INTO u SELECT 1"], lock=ops.Lock.NONE, undo_postgresql=["DELETE FROM u"])
ops.add_column("t", sa.Column("e", sa.Integer()))
"""


async def killed(it: Live, text: str, *blocking: str) -> None:
    """Run the script, and kill psql and its session with SIGKILL while each of these locks makes a statement wait."""
    command, environment = psql_command(it.url)
    for statement in blocking:
        async with opened(it.url) as blocker:
            await blocker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await blocker.execute(statement)
            process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, text=True)
            assert process.stdin is not None
            process.stdin.write(text)
            process.stdin.close()
            waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not (pid := await it.value(f"SELECT max(pid) {waiting}")):
                assert process.poll() is None, statement
                await asyncio.sleep(0.02)
            process.kill()
            process.wait()
            await it.execute(f"SELECT pg_terminate_backend({pid}, 5000)")


async def test_an_interrupted_script_is_run_again(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, up=UP + WAITING, contract=FREE) as it:
        text = script(it, "upgrade")
        await it.execute("CREATE TABLE u (x integer)")
        await it.execute("UPDATE migration_catalog SET lines = (lines::jsonb || '[\"column u.x integer\"]')::text")
        # An open snapshot makes the index build wait, and a lock the insert.
        await killed(it, text, "SELECT 1", "LOCK TABLE u")
        await it.execute("DROP TABLE u")
        errors = run(it, text, *IGNORING)
        assert 'relation "u" does not exist' in errors
        assert "A step before this one failed, so this one is not run." in errors
        assert await it.value("SELECT version_num FROM alembic_version") == "0001_base"
        assert not [line for line in await it.catalog() if " t.e" in line]
        await it.execute("CREATE TABLE u (x integer)")
        assert run(it, text) == ""
        assert await it.execute("SELECT count(*) FILTER (WHERE id = 9) AS a, count(*) AS b FROM t") == [
            {"a": 1, "b": 4}
        ]
        assert await it.value("SELECT count(*) FROM u") == 1
        await killed(it, script(it, "backfill"), "SELECT FROM t WHERE id = 2 FOR UPDATE")
        assert run(it, script(it, "backfill")) == ""
        assert run(it, script(it, "contract")) == ""
        assert await it.execute("SELECT id, c FROM t ORDER BY id") == [
            {"id": id, "c": c} for id, c in {1: "one", 2: "two", 3: "three", 9: "nine"}.items()
        ]
        assert await it.value("SELECT version_num FROM alembic_version") == "0002_change"
        assert await it.execute("SELECT * FROM migration_lease") == []
        assert (await status(it.url)).phases.incomplete == ()


ODD = """
ops.add_column("t", sa.Column("Odd %s :x", sa.String(20), server_default="it's 5% $step$ :x"))
ops.set_not_null("t", "b", fill="length('50% :b $sql$ {} it''s')")
ops.execute(
    "one line\\nDROP TABLE t;",
    postgresql=["SELECT 'a:b %', '$fill$'", "COMMENT ON TABLE t IS '$sql$ \\\\x :y'"],
)
"""
SETTINGS = ("--set=ON_ERROR_ROLLBACK=on", "--set=AUTOCOMMIT=on", "--set=x=broken", "--set=y=broken", *IGNORING)


async def test_a_script_of_an_owner_in_a_schema_of_its_own(empty_postgres_url: str, project: Project) -> None:
    """Names and texts that need quotes, an owner without privileges beyond, and settings of psql."""
    name, role = make_url(empty_postgres_url).database, f"owner_{secrets.token_hex(4)}"
    async with opened(empty_postgres_url) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        try:
            await admin.execute(f'CREATE SCHEMA "App Schema" AUTHORIZATION {role}')
            await admin.execute(f'ALTER DATABASE {name} SET search_path = "App Schema"')
            url = make_url(empty_postgres_url).set(username=role, password="secret")
            async with live(url.render_as_string(hide_password=False), project, up=ODD, contract=CONTRACT) as it:
                for phase in ("upgrade", "backfill", "contract"):
                    assert (phase, run(it, script(it, phase), *SETTINGS)) == (phase, "")
                    assert (phase, run(it, script(it, phase), *SETTINGS)) == (phase, "")
                assert await it.value("""SELECT "Odd %s :x" FROM t LIMIT 1""") == "it's 5% $step$ :x"
                assert await it.value("SELECT obj_description('t'::regclass)") == "$sql$ \\x :y"
                found = (await status(it.url)).phases
                assert (found.drift, found.incomplete, found.contract, found.backfill) == ((), (), (), ())
                assert await it.value("SELECT count(*) FROM t WHERE _trash_0002_b = 20") == 1
        finally:
            await admin.execute(f"DROP OWNED BY {role}")
            await admin.execute(f"DROP ROLE {role}")


async def test_branches_and_revisions_in_plain_style(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, up='ops.add_column("t", sa.Column("c", sa.Integer()))') as it:
        project.add(
            "0003_plain",
            after="0001_base",
            up="""op.add_column("t", sa.Column("p", sa.Integer()))
op.execute("UPDATE t SET p = id")
op.create_index("ix_t_p", "t", ["p"])""",
        )
        project.add_safe("0004_merge", after=("0002_change", "0003_plain"))
        text = commands.script(it.url, "0001:head")
        assert run(it, text) == run(it, text, *IGNORING) == ""
        assert await it.execute("SELECT version_num FROM alembic_version") == [{"version_num": "0004_merge"}]
        assert await it.value("SELECT sum(p) FROM t") == 6
        assert (await status(it.url)).is_sound
        assert await aio.upgrade(it.url) == []
        await aio.downgrade(it.url, "0001")
        # What cannot be part of one checked statement.
        project.add(
            "0005_alone", after="0004_merge", up='with op.get_context().autocommit_block(): op.execute("SELECT 1")'
        )
        with pytest.raises(Refused, match="0005_alone has statements outside of a transaction"):
            commands.script(it.url, "0001:head")


@pytest.mark.slow
async def test_a_script_that_ends_behind_any_statement_is_run_again(postgres_admin_url: str, project: Project) -> None:
    """As if psql was killed between two statements, in a session that then starts over."""
    async with (
        fresh_database(postgres_admin_url) as one,
        fresh_database(postgres_admin_url) as other,
        live(one, project, up=UP, contract=FREE) as online,
        live(other, project, up=UP, contract=FREE) as scripted,
    ):
        verbs = {"upgrade": online.up, "backfill": online.backfill, "contract": online.contract, "purge": online.purge}
        for phase, verb in verbs.items():
            await verb()
            text = script(scripted, phase)
            for end in re.finditer(r"\$(?:step|fill)\$;\n|\\gexec\n", text):
                assert (phase, run(scripted, text[: end.end()])) == (phase, "")
            # A step whose work was done and not recorded has "nothing to do" in the audit, as online.
            here, there = await told(scripted) | {"audit": ()}, await told(online) | {"audit": ()}
            assert (phase, here) == (phase, there)
            assert await scripted.state() == await online.state()


async def test_a_script_tries_an_expression_before_it_makes_a_trigger(
    empty_postgres_url: str, project: Project
) -> None:
    up = """
ops.add_column("t", sa.Column("k", sa.String(3)))
ops.follow("t", "k", source="a", postgresql="lower(a)", sqlite="lower(a)")
"""
    async with live(empty_postgres_url, project, up=up) as it:
        assert "value too long for type character varying(3)" in run(it, script(it, "upgrade"), *IGNORING)
        assert await it.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0
        await it.execute("UPDATE t SET a = left(a, 3)")
        assert run(it, script(it, "upgrade")) == ""
