import httpx

from tests.conftest import Make
from tests.nouns import conflict, invalid, not_found, problem, stale


async def test_a_user_is_one_employee_alone(client: httpx.AsyncClient, make: Make) -> None:
    user = await make("users")
    await make("employees", user_id=user["id"])
    other = await make("employees")
    taken = conflict("Another employee has this user_id.", "user_id")
    missing = conflict("There is no user with this id.", "user_id")
    assert problem(await client.patch(f"/v1/employees/{other['id']}", json={"user_id": user["id"]})) == taken
    assert problem(await client.post("/v1/employees", json={"name": "a", "user_id": 2**62})) == missing


async def test_shows_departments_when_asked(client: httpx.AsyncClient, make: Make) -> None:
    employee = await make("employees")
    path = f"/v1/employees/{employee['id']}"
    assert (await client.get(path)).json() == employee
    assert (await client.get(path, params={"include": "departments"})).json() == employee | {"departments": []}
    expected = []
    for name in ("One", "Two"):
        department = await make("departments", name=name, external_id=name)
        await client.put(f"{path}/departments/{department['id']}", json={"from_date": "2020-01-01"})
        dates = {"from_date": "2020-01-01", "to_date": None, "version": 1}
        expected.append({"department_id": department["id"], "external_id": name, "name": name} | dates)
    assert (await client.get(path, params={"include": "departments"})).json() == employee | {"departments": expected}
    assert (await client.get(f"{path}/departments")).json() == {"items": expected, "next_cursor": None}
    assert (await client.get(f"{path}/departments", params={"sort": "-name"})).json()["items"] == expected[::-1]
    assert (await client.get(f"{path}/departments", params={"q": "tw"})).json()["items"] == expected[1:]


async def test_the_tag_changes_with_whatever_is_shown(client: httpx.AsyncClient, make: Make) -> None:
    employee, department = await make("employees"), await make("departments")
    path = f"/v1/employees/{employee['id']}"
    link = f"{path}/departments/{department['id']}"
    shown = f"{path}?include=departments"
    plain = (await client.get(path)).headers["etag"]
    tags = [(await client.get(shown)).headers["etag"]]
    for act in (
        client.put(link, json={}),
        client.put(link, json={"from_date": "2020-01-01"}),
        client.patch(f"/v1/departments/{department['id']}", json={"name": "Another"}),
        client.patch(path, json={"job_title": "Cook"}),
        client.delete(link),
    ):
        await act
        answer = await client.get(shown, headers={"if-none-match": tags[-1]})
        assert answer.status_code == 200
        tags.append(answer.headers["etag"])
        assert (await client.get(shown, headers={"if-none-match": tags[-1]})).status_code == 304
    assert len({plain, *tags}) == 1 + len(tags)


async def test_a_tag_of_the_employee_with_departments_serves_to_change_the_employee(
    client: httpx.AsyncClient, make: Make
) -> None:
    employee, department = await make("employees"), await make("departments")
    path = f"/v1/employees/{employee['id']}"
    tag = (await client.get(path, params={"include": "departments"})).headers["etag"]
    # Departments are no part of what PATCH changes.
    await client.put(f"{path}/departments/{department['id']}", json={})
    assert (await client.patch(path, json={"job_title": "Cook"}, headers={"if-match": tag})).status_code == 200
    assert problem(await client.patch(path, json={"job_title": "Chef"}, headers={"if-match": tag})) == stale()


async def test_nothing_else_can_be_included(client: httpx.AsyncClient, make: Make) -> None:
    path = f"/v1/employees/{(await make('employees'))['id']}"
    answer = await client.get(path, params={"include": "user"})
    assert problem(answer) == invalid({"detail": "Invalid enum value 'user'.", "parameter": "include"})
    missing = await client.get("/v1/employees/1000000000", params={"include": "departments"})
    assert problem(missing) == not_found("There is no employee 1000000000.")
    missing = await client.get("/v1/employees/1000000000/departments")
    assert problem(missing) == not_found("There is no employee 1000000000.")


async def test_lists_by_department_user_and_key(client: httpx.AsyncClient, make: Make) -> None:
    user, department = await make("users"), await make("departments")
    ann = await make("employees", name="Ann", user_id=user["id"])
    bob = await make("employees", name="Bob", external_id="b")
    await make("employees", name="Cid")
    for each in (ann, bob):
        await client.put(f"/v1/departments/{department['id']}/employees/{each['id']}", json={})

    async def found(**filters: object) -> list[object]:
        params = {name: str(value) for name, value in filters.items()}
        items: list[object] = (await client.get("/v1/employees", params=params)).json()["items"]
        return items

    assert await found(department_id=department["id"], sort="-name") == [bob, ann]
    assert await found(department_id=department["id"], q="AN") == [ann]
    assert await found(user_id=user["id"]) == [ann]
    assert await found(external_id="b") == [bob]
    assert await found(department_id=2**62) == []


async def test_a_deleted_employee_leaves_user_and_department(client: httpx.AsyncClient, make: Make) -> None:
    user, department = await make("users"), await make("departments")
    employee = await make("employees", user_id=user["id"])
    await client.put(f"/v1/departments/{department['id']}/employees/{employee['id']}", json={})
    assert (await client.delete(f"/v1/employees/{employee['id']}")).status_code == 204
    assert (await client.get(f"/v1/users/{user['id']}")).json() == user
    assert (await client.get(f"/v1/departments/{department['id']}")).json() == department
    assert (await client.get(f"/v1/departments/{department['id']}/employees")).json()["items"] == []
