from datetime import datetime, timedelta

import httpx
import pytest

from tests.conftest import Make
from tests.nouns import MOMENT, conflict, problem


async def test_a_recording_was_made_now_if_nothing_else_is_said(make: Make) -> None:
    record = await make("records")
    assert record["date_created"] == MOMENT
    date_created, created_at = (datetime.fromisoformat(record[each]) for each in ("date_created", "created_at"))
    assert abs(date_created - created_at) < timedelta(seconds=1)


async def test_times_are_shown_in_utc_from_the_first_answer_on(client: httpx.AsyncClient, make: Make) -> None:
    record = await make("records", date_created="2023-01-01T01:30:00.25+02:00")
    path = f"/v1/records/{record['id']}"
    assert record["date_created"] == "2022-12-31T23:30:00.250000Z"
    assert (await client.get(path)).json() == record
    assert (await client.patch(path, json={"date_created": "2022-12-31T22:30:00.25-01:00"})).json() == record


@pytest.mark.parametrize(
    "moment", ["0001-01-02T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-30T23:59:59.999999Z"]
)
async def test_keeps_times_to_the_microsecond(client: httpx.AsyncClient, make: Make, moment: str) -> None:
    record = await make("records", date_created=moment)
    assert (await client.get(f"/v1/records/{record['id']}")).json()["date_created"] == moment


async def test_an_owner_must_be_there(client: httpx.AsyncClient, make: Make) -> None:
    refused = conflict("There is no user with this id.", "owner_id")
    record = await make("records")
    assert problem(await client.post("/v1/records", json={"title": "a", "owner_id": 2**62})) == refused
    assert problem(await client.patch(f"/v1/records/{record['id']}", json={"owner_id": 2**62})) == refused
    assert (await client.get(f"/v1/records/{record['id']}")).json() == record


async def test_an_external_id_is_one_records_alone(client: httpx.AsyncClient, make: Make) -> None:
    await make("records", external_id="a")
    await make("records", external_id="A")
    await make("users", external_id="a")
    answer = await client.post("/v1/records", json={"title": "a", "external_id": "a"})
    assert problem(answer) == conflict("Another record has this external_id.", "external_id")


async def test_lists_by_owner_key_and_tag(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    one = await make("records", title="One", owner_id=user["id"], tags=["a", 'b"\\%'], external_id="k")
    two = await make("records", title="Two", tags=["A", "ab"], date_created="2020-01-01T00:00:00Z")

    async def found(**filters: str) -> list[object]:
        items: list[object] = (await client.get("/v1/records", params=filters)).json()["items"]
        return items

    assert await found(owner_id=str(user["id"])) == [one]
    assert await found(external_id="k") == [one]
    assert await found(tag="a") == [one]
    assert await found(tag='b"\\%') == [one]
    assert await found(tag="ab") == [two]
    assert await found(tag="b") == []
    assert await found(tag="a", q="tw") == []
    assert await found(sort="date_created") == [two, one]
