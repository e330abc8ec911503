"""While a column is being filled, the service answers what is stored, with a version that counts the fill."""

import pytest

from service.migrate.entrypoints import aio
from tests.conftest import client_of, serving_in_process
from tests.migrate.project import Project, following

FILL = """ops.set_not_null("employees", "job_title", fill="'unknown'")"""


@pytest.mark.slow
async def test_a_fill_is_answered_and_counted(fresh_url: str, project: Project) -> None:
    project.add_safe(following("fill"), after=aio.head_revision(), up=FILL)
    async with serving_in_process(fresh_url) as roster, client_of(roster) as client:
        employees = "/v1/employees"
        before = await client.post(employees, json={"name": "Ada"})
        path = f"{employees}/{before.json()['id']}"
        assert before.json()["job_title"] is None
        await aio.upgrade(fresh_url)
        for answer in (
            await client.post(employees, json={"name": "Bob"}),
            await client.post(employees, json={"name": "Cem", "job_title": None}),
        ):
            assert answer.json()["job_title"] == "unknown"
            bob = f"{employees}/{answer.json()['id']}"
            assert (await client.get(bob)).content == answer.content
        await client.patch(bob, json={"job_title": "baker"})
        cleared = await client.patch(bob, json={"job_title": None})
        assert cleared.json()["job_title"] == "unknown"
        assert (await client.get(bob)).content == cleared.content
        await aio.backfill(fresh_url)
        known = await client.get(path, headers={"if-none-match": before.headers["etag"]})
        assert (known.status_code, known.json()["job_title"], known.json()["version"]) == (200, "unknown", 2)
        stale = await client.patch(path, json={"name": "Eva"}, headers={"if-match": before.headers["etag"]})
        assert stale.status_code == 412
