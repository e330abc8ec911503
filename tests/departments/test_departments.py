import httpx
import pytest

from tests.conftest import Make
from tests.nouns import conflict, not_found, problem


@pytest.mark.parametrize("name", ["Straße", "STRASSE", "strasse", "\uff33trasse"])
async def test_a_name_is_unique_however_it_is_written(client: httpx.AsyncClient, make: Make, name: str) -> None:
    await make("departments", name="Stra\u00dfe")
    answer = await client.post("/v1/departments", json={"name": name})
    assert problem(answer) == conflict("Another department has this name.", "name")


async def test_lists_who_is_in_it(client: httpx.AsyncClient, make: Make) -> None:
    one, other = await make("departments"), await make("departments")
    zoe = await make("employees", name="Zoe", job_title="Cook", external_id="z")
    ann = await make("employees", name="ann")
    for department, employee, dates in (
        (one, zoe, {"from_date": "2020-01-31", "to_date": "2020-02-29"}),
        (one, ann, {}),
        (other, ann, {}),
    ):
        await client.put(f"/v1/departments/{department['id']}/employees/{employee['id']}", json=dates)
    path = f"/v1/departments/{one['id']}/employees"
    as_zoe = {"employee_id": zoe["id"], "external_id": "z", "name": "Zoe", "job_title": "Cook", "version": 1}
    as_zoe |= {"from_date": "2020-01-31", "to_date": "2020-02-29"}
    as_ann = {"employee_id": ann["id"], "external_id": None, "name": "ann", "job_title": None, "version": 1}
    as_ann |= {"from_date": None, "to_date": None}
    assert (await client.get(path)).json() == {"items": [as_zoe, as_ann], "next_cursor": None}
    assert (await client.get(path, params={"sort": "name"})).json()["items"] == [as_ann, as_zoe]
    assert (await client.get(path, params={"q": "ZO"})).json()["items"] == [as_zoe]
    first = (await client.get(path, params={"limit": 1})).json()
    assert first["items"] == [as_zoe]
    second = await client.get(path, params={"limit": 1, "cursor": first["next_cursor"]})
    assert second.json() == {"items": [as_ann], "next_cursor": None}


async def test_an_empty_department_is_not_a_missing_one(client: httpx.AsyncClient, make: Make) -> None:
    empty = await make("departments")
    answer = await client.get(f"/v1/departments/{empty['id']}/employees")
    assert answer.json() == {"items": [], "next_cursor": None}
    answer = await client.get(f"/v1/departments/{empty['id'] + 1}/employees")
    assert problem(answer) == not_found(f"There is no department {empty['id'] + 1}.")


async def test_a_deleted_department_leaves_its_employees(client: httpx.AsyncClient, make: Make) -> None:
    department, employee = await make("departments", name="Research"), await make("employees")
    link = f"/v1/departments/{department['id']}/employees/{employee['id']}"
    await client.put(link, json={})
    assert (await client.delete(f"/v1/departments/{department['id']}")).status_code == 204
    assert (await client.get(link)).status_code == 404
    assert (await client.get(f"/v1/employees/{employee['id']}")).json() == employee
    assert (await client.get(f"/v1/employees/{employee['id']}/departments")).json()["items"] == []
    await make("departments", name="Research")
