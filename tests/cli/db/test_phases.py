"""`roster db` in every state of a revision: what a tired person reads first, and what a program gets."""

import asyncio
import json
import os
import pty
import re
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.migrate.entrypoints import aio
from tests.alembic.store import opened
from tests.cli.db.test_migrating import roster
from tests.migrate.filling import BASE as FILLING
from tests.migrate.filling import COLUMN, FILLED, IN_PYTHON
from tests.migrate.operations.live import live
from tests.migrate.project import Project
from tests.migrate.states import CHANGE, STATES, bring
from tests.programs import start

TO_FILL = "To fill, with `roster db backfill`: 0002_change."
TO_CONTRACT = "To contract when no older code runs, with `roster db contract`: 0002_change."
ASIDE = "In the trash until `roster db purge`: {}."
LEGACY = "things.legacy"
# The lines below the first, the pending phases of the revision, and the trash.
LEFT: dict[str, tuple[list[str], bool, bool, list[str]]] = {
    "expanded": ([TO_FILL, TO_CONTRACT], True, True, []),
    "half filled": ([TO_FILL, TO_CONTRACT, "Backfill things.slug of 0002_change (running): 71 %"], True, True, []),
    "filled": ([TO_CONTRACT], False, True, []),
    "half contracted": ([TO_CONTRACT, ASIDE.format(LEGACY)], False, True, [LEGACY]),
    "contracted": ([ASIDE.format(f"{LEGACY}, olds")], False, False, [LEGACY, "olds"]),
    "contract undone": ([TO_CONTRACT], False, True, []),
    "purged": ([], False, False, []),
}


UNKNOWN = "Can't locate revision identified by '0001_nonsense'. `roster db history` lists the revisions there are."
PURGED = "0002_change cannot be undone: its trash was purged: olds (2, on "
REFUSALS = {
    "expanded": [
        (
            "contract",
            1,
            "0002_change cannot be contracted: the backfill of things.slug and things.kind is not complete.",
        ),
        ("contract 0001_nonsense", 2, UNKNOWN),
        ("contract --undo 0001_nonsense", 2, UNKNOWN),
        ("backfill --sql", 2, "--sql prints the steps of one revision: name it"),
    ],
    "half contracted": [("purge --yes", 1, "0002_change cannot be purged: its contract is incomplete.")],
    "contracted": [
        ("purge --json", 2, "--json does not ask before it drops things.legacy, olds for good: say --yes too.")
    ],
    "purged": [("contract --undo 0002", 1, PURGED), ("downgrade -1", 1, PURGED), ("downgrade base", 1, PURGED)],
}


async def call(url: str, *arguments: str) -> Result:
    return await asyncio.to_thread(roster, *arguments, url=url)


async def document(url: str, *arguments: str, status: int = 0) -> Any:
    result = await call(url, *arguments, "--json")
    assert (result.exit_code, result.stderr) == (status, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize("state", STATES)
async def test_status_tells_what_is_left_to_do_and_a_refusal_changes_nothing(
    empty_url: str, project: Project, state: str
) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        if not it.is_sqlite:
            await it.execute("ANALYZE things")
        await bring(it, state)
        lines, to_fill, to_contract, aside = LEFT[state]
        result = await call(it.url, "status")
        assert (result.exit_code, result.stderr) == (0, "")
        first, *rest = result.stdout.splitlines()
        assert re.fullmatch(r"(sqlite|postgresql)://\S+ is at 0002_change: this code needs newer tables\.", first)
        assert [line.partition(", 500 rows filled")[0] for line in rest] == lines
        found = await document(it.url, "status")
        assert (found["current"], found["pending"], found["is_sound"]) == (["0002_change"], [], True)
        phases = found["phases"]
        assert phases["backfill"] == ["0002_change"] * to_fill
        assert phases["contract"] == ["0002_change"] * to_contract
        assert (phases["trash"], phases["drift"], phases["incomplete"]) == (aside, [], [])
        # Whoever was gone without a word has not ended its run.
        assert (phases["active_run"] is not None) == state.startswith("half")
        history = await document(it.url, "history")
        assert [(each["id"], each["phases"], each["applied"]) for each in history] == [
            ("0002_change", ["upgrade", "backfill", "contract"], True),
            ("0001_base", ["upgrade"], True),
        ]
        if state in REFUSALS:
            before = await it.state()
            await assert_refused(it.url, state)
            assert await it.state() == before


async def assert_refused(url: str, state: str) -> None:
    """A refusal is one sentence on standard error, and an exit status."""
    for command, status, sentence in REFUSALS[state]:
        for more in ((), ("--json",)):
            result = await call(url, *command.split(), *more)
            assert (command, result.exit_code, result.stdout) == (command, status, "")
            assert result.stderr.startswith(f"Error: {sentence}")
            assert result.stderr.count("\n") == 1


@pytest.mark.slow
async def test_a_revision_goes_through_its_life_with_a_sentence_for_each_step(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        assert (await call(it.url, "status")).exit_code == 1
        said = [
            (
                "upgrade",
                ["Upgrade to 0002_change: done.", "The database is at 0002_change, after S.", TO_FILL, TO_CONTRACT],
            ),
            ("backfill", ["Backfill of 0002_change: done.", "Backfilled 0002_change, in S."]),
            ("backfill", ["Nothing is left to fill."]),
            ("contract", ["Contract of 0002_change: done.", "Contracted 0002_change, in S."]),
            ("contract", ["Nothing is left to contract."]),
            ("contract --undo 0002", ["Contract of 0002_change undone.", "Undone 0002_change, in S."]),
            ("contract --undo 0002", ["No contract is to be undone."]),
            ("upgrade", ["The database is at 0002_change; there was nothing to do.", TO_CONTRACT]),
            ("contract 0002", ["Contract of 0002_change: done.", "Contracted 0002_change, in S."]),
            ("purge --yes", ["Purged things.legacy.", "Purged olds.", "Purged things.legacy, olds, in S."]),
            ("purge", ["The trash is empty."]),
            ("history", ["* 0002_change  A test's own, in safe steps. (backfill, contract)"]),
        ]
        for command, lines in said:
            result = await call(it.url, *command.split())
            told = [re.sub(r"\d+\.\d s\b", "S", line) for line in result.stdout.splitlines()]
            assert (command, told[: len(lines)], result.exit_code, result.stderr) == (command, lines, 0, "")


async def test_a_program_gets_one_document_for_each_step(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        said: list[tuple[str, dict[str, Any]]] = [
            ("upgrade", {"applied": ["0002_change"], "current": ["0002_change"]}),
            ("backfill", {"backfilled": ["0002_change"]}),
            ("backfill --pause", {"paused": []}),
            ("contract", {"contracted": ["0002_change"]}),
            ("contract --undo 0002", {"undone": ["0002_change"]}),
            ("contract", {"contracted": ["0002_change"]}),
            ("purge --yes", {"purged": ["things.legacy", "olds"]}),
            ("purge", {"purged": []}),
        ]
        for command, expected in said:
            found = await document(it.url, *command.split())
            assert found.pop("seconds", 0) >= 0
            assert (command, found) == (command, expected)


async def test_status_tells_why_a_backfill_stopped_and_that_it_is_not_well(empty_url: str, project: Project) -> None:
    backfill = IN_PYTHON.replace("a.lower()", "a[99]")
    async with live(empty_url, project, base=FILLING, rows=FILLED, up=COLUMN, backfill=backfill) as it:
        await it.up()
        refused = await call(it.url, "backfill")
        fault = "IndexError('string index out of range')"
        why = f"0002_change: BACKFILL t.b: the function `by` failed at the row 1 of t: {fault}."
        assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", f"Error: {why}\n")
        result = await call(it.url, "status")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[-1] == (
            f"Backfill t.b of 0002_change (running): 0 %, 0 rows filled, 0 rows a second. It stopped: {why}"
        )
        found = await document(it.url, "status", status=1)
        assert found["is_sound"] is False
        assert found["phases"]["backfills"][0]["problem"] == why.rstrip(".")


@pytest.mark.parametrize("command", ["backfill", "contract", "purge --yes"])
async def test_what_follows_an_upgrade_needs_one(empty_url: str, command: str) -> None:
    result = await call(empty_url, *command.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: The database has no revision yet: run `roster db upgrade`.\n"


async def test_a_purge_asks_first_and_takes_no_for_an_answer(empty_url: str, project: Project) -> None:
    async with live(empty_url, project, **CHANGE) as it:
        await bring(it, "contracted")
        answers = {"n\n": 1, "": 1, "y\n": 0}
        for answer, status in answers.items():
            before = await it.catalog(with_trash=True)
            result = await asyncio.to_thread(
                CliRunner().invoke, main, ["db", "purge"], input=answer, env={"ROSTER_DATABASE_URL": it.url}
            )
            assert result.stdout.startswith("Drop things.legacy, olds for good? [y/N]")
            assert result.exit_code == status
            assert (await it.catalog(with_trash=True) == before) == (status == 1)


def on_a_terminal(url: str, *arguments: str) -> tuple[str, str, int]:
    """The output, the progress on a terminal, and the exit status of a command."""
    reading, writing = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    command = ["db", "--database", url, *arguments]
    with TemporaryFile() as printed:
        process = start("service", *command, stdout=printed, stderr=writing, env=environment)
        os.close(writing)
        drawn = b""
        try:
            while part := os.read(reading, 65536):
                drawn += part
        except OSError:
            # Nobody draws any more.
            pass
        os.close(reading)
        status = process.wait()
        printed.seek(0)
        return printed.read().decode(), drawn.decode(), status


@pytest.mark.slow
async def test_who_watches_a_backfill_sees_a_bar_and_a_program_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'roster.db'}"
    await aio.upgrade(url, "0007")
    async with opened(url) as store:
        series = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000) "
        await store.execute(series + "INSERT INTO users (id, name, email) SELECT n, 'Ünï', 'Ü' || n || '@x' FROM s")
        await aio.upgrade(url, "0008")
        printed, drawn, status = await asyncio.to_thread(on_a_terminal, url, "backfill")
        assert status == 0
        assert printed.splitlines()[0] == "Backfill of 0008_fold_users: done."
        assert re.search(r"users\.keys .*━.*\d+%.* [\d,]+ rows, [\d,]+/s", drawn)
        assert "100%" in drawn
        await store.execute("UPDATE users SET name = 'Û', name_key = NULL WHERE id = 7")
    printed, drawn, status = await asyncio.to_thread(on_a_terminal, url, "backfill", "--json")
    assert (drawn, status, json.loads(printed)["backfilled"]) == ("", 0, ["0008_fold_users"])
