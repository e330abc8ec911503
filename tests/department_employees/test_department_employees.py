import asyncio

import httpx
import pytest

from tests.conftest import Make
from tests.nouns import MOMENT, invalid, not_found, problem, stale

ENDS = ["department", "employee"]


class Link:
    """A department, an employee, and the address of their link from one of the two ends."""

    def __init__(self, department: int, employee: int, end: str) -> None:
        self.department, self.employee = department, employee
        self.from_department = f"/v1/departments/{department}/employees/{employee}"
        self.from_employee = f"/v1/employees/{employee}/departments/{department}"
        self.path = self.from_department if end == "department" else self.from_employee
        self.other_path = self.from_employee if end == "department" else self.from_department

    def shown(self, **fields: object) -> dict[str, object]:
        new = {"from_date": None, "to_date": None, "version": 1, "created_at": MOMENT, "updated_at": MOMENT}
        return {"department_id": self.department, "employee_id": self.employee, **new, **fields}


@pytest.fixture(params=ENDS)
async def link(request: pytest.FixtureRequest, make: Make) -> Link:
    return Link((await make("departments"))["id"], (await make("employees"))["id"], request.param)


async def test_linked_at_one_end_is_linked_at_both(client: httpx.AsyncClient, link: Link) -> None:
    put = await client.put(link.path, json={"from_date": "2020-02-29"})
    assert (put.status_code, put.json()) == (201, link.shown(from_date="2020-02-29"))
    for path in (link.path, link.other_path):
        read = await client.get(path)
        assert (read.status_code, read.json(), read.headers["etag"]) == (200, put.json(), put.headers["etag"])
        assert (await client.get(path, headers={"if-none-match": put.headers["etag"]})).status_code == 304


async def test_put_again_replaces_the_dates(client: httpx.AsyncClient, link: Link) -> None:
    first = await client.put(link.path, json={"from_date": "2020-01-01", "to_date": "2020-01-01"})
    again = await client.put(link.other_path, json={"to_date": "2021-01-01"})
    assert (again.status_code, again.json()) == (200, link.shown(to_date="2021-01-01", version=2))
    assert again.json()["created_at"] == first.json()["created_at"]
    assert again.headers["etag"] != first.headers["etag"]


async def test_put_of_the_same_changes_nothing(client: httpx.AsyncClient, link: Link) -> None:
    first = await client.put(link.path, json={"from_date": "2020-01-01"})
    again = await client.put(link.path, json={"from_date": "2020-01-01", "to_date": None})
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, first.json(), first.headers["etag"])


async def test_unlinked_at_one_end_is_unlinked_at_both(client: httpx.AsyncClient, link: Link) -> None:
    missing = not_found(f"Employee {link.employee} is not in department {link.department}.")
    assert problem(await client.delete(link.path)) == missing
    await client.put(link.path, json={})
    answer = await client.delete(link.other_path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert problem(await client.get(link.path)) == missing
    assert problem(await client.get(link.other_path)) == missing


async def test_both_ends_must_be_there(client: httpx.AsyncClient, link: Link) -> None:
    none = 10**9
    for path, detail in (
        (f"/v1/departments/{none}/employees/{link.employee}", f"There is no department {none}."),
        (f"/v1/departments/{link.department}/employees/{none}", f"There is no employee {none}."),
        (f"/v1/employees/{none}/departments/{none}", f"There is no department {none}."),
    ):
        assert problem(await client.put(path, json={})) == not_found(detail)
    assert problem(await client.put(f"/v1/departments/0/employees/{link.employee}", json={})) == not_found()


async def test_time_in_a_department_does_not_end_before_it_begins(client: httpx.AsyncClient, link: Link) -> None:
    answer = await client.put(link.path, json={"from_date": "2020-01-02", "to_date": "2020-01-01"})
    assert problem(answer) == invalid({"detail": "to_date is before from_date.", "pointer": "/to_date"})
    assert (await client.get(link.path)).status_code == 404


async def test_only_the_newest_copy_of_a_link_is_changed(client: httpx.AsyncClient, link: Link) -> None:
    nothing = stale("The resource does not exist, so If-Match cannot match.")
    assert problem(await client.put(link.path, json={}, headers={"if-match": "*"})) == nothing
    old = (await client.put(link.path, json={}, headers={"if-none-match": "*"})).headers["etag"]
    there = stale("The resource exists, and If-None-Match requires that it does not.")
    assert problem(await client.put(link.path, json={}, headers={"if-none-match": "*"})) == there
    new = await client.put(link.path, json={"to_date": "2020-01-01"}, headers={"if-match": old})
    assert problem(await client.put(link.path, json={}, headers={"if-match": old})) == stale()
    assert problem(await client.delete(link.path, headers={"if-match": old})) == stale()
    assert (await client.get(link.path)).json() == new.json()
    assert (await client.delete(link.path, headers={"if-match": new.headers["etag"]})).status_code == 204


async def test_a_link_put_back_is_another_one(client: httpx.AsyncClient, link: Link) -> None:
    old = (await client.put(link.path, json={})).headers["etag"]
    await client.delete(link.path)
    await client.put(link.path, json={})
    assert problem(await client.delete(link.path, headers={"if-match": old})) == stale()
    assert (await client.get(link.path, headers={"if-none-match": old})).status_code == 200


async def test_all_who_put_the_same_link_at_once_succeed(client: httpx.AsyncClient, link: Link) -> None:
    paths = [link.path, link.other_path] * 5
    answers = await asyncio.gather(*(client.put(path, json={}) for path in paths))
    assert sorted(each.status_code for each in answers) == [200] * 9 + [201]
    assert {each.content for each in answers} == {answers[0].content}
