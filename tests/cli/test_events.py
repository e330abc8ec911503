"""`roster events`, on both databases."""

import json
from datetime import timedelta

from sqlalchemy import func, select, update

from service.app import Roster
from service.db.clock import now
from service.models import Event
from tests.cli.test_logins import run
from tests.events.test_feed import write


async def test_prunes_what_is_older_but_the_newest(shared_url: str, roster: Roster) -> None:
    await write(roster, "a", "b", "c")
    async with roster.database.writing.begin() as connection:
        last = await connection.scalar(select(func.max(Event.id)))
        old = now() - timedelta(days=500)
        await connection.execute(update(Event).where(Event.id < last).values(created_at=old))
    pruned = await run(shared_url, "events", "prune", "--older-than", "600d", "--json")
    assert (pruned.exit_code, json.loads(pruned.stdout)["rows"]) == (0, 0)
    pruned = await run(shared_url, "events", "prune", "--older-than", "400d")
    assert (pruned.exit_code, pruned.stdout.partition(": ")[2]) == (0, "2 rows deleted.\n")
    again = await run(shared_url, "events", "prune", "--older-than", "1h", "--json")
    assert (again.exit_code, json.loads(again.stdout)["rows"]) == (0, 0)
    wrong = await run(shared_url, "events", "prune", "--older-than", "400")
    assert wrong.exit_code == 2
    assert "'400' is no age; 400d (days), 12w (weeks) or 36h (hours) is expected." in wrong.stderr
