"""The authorisation matrix: every route, every role, one's own things and those of another user.

What each role may do is written here by hand, and not read from the routes: a wrong declaration fails.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from litestar.routes import HTTPRoute

from service.app import Roster, create_app
from service.settings import Settings
from tests.callers import Caller, add_caller
from tests.conftest import client_of, copy_of, serving_in_process

# Nouns with the usual routes, by the name of the id in their paths: viewers read them, editors also change them.
NOUNS = {
    "records": "record_id",
    "departments": "department_id",
    "employees": "employee_id",
}
READ = ("GET /v1/{noun}", "GET /v1/{noun}/{{{id}}}", "GET /v1/{noun}/export")
WRITTEN = ("POST /v1/{noun}", "PATCH /v1/{noun}/{{{id}}}", "DELETE /v1/{noun}/{{{id}}}", "POST /v1/{noun}/import")

# The last has no role at all, and `nobody` no token.
ROLES = ("admin", "editor", "viewer", "none")
EVERYBODY = "admin editor viewer none nobody"
WITH_TOKEN = "admin editor viewer none"

MATRIX = {
    EVERYBODY: """
        GET /livez
        GET /readyz
        GET /openapi.json
        GET /docs
        GET /docs/{file}
        GET /favicon.ico
        GET /password
        GET /password/{file}
        GET /setup
        GET /setup/{file}
        POST /v1/setup
        POST /v1/sessions
        POST /v1/password-links
    """,
    WITH_TOKEN: """
        GET /version
        GET /v1/me
        PATCH /v1/me
        GET /v1/me/preferences
        PUT /v1/me/preferences
        PATCH /v1/me/preferences
        GET /v1/me/records
        GET /v1/me/tokens
        POST /v1/me/tokens
        DELETE /v1/me/tokens/{token_id}
        GET /v1/me/logins
        PUT /v1/me/password
        DELETE /v1/sessions/current
    """,
    "admin editor viewer": """
        GET /v1/users
        GET /v1/users/{user_id}
        GET /v1/users/{user_id}/preferences
        GET /v1/users/export
        GET /v1/users/{user_id}/roles
        GET /v1/roles
        GET /v1/roles/{name}
        GET /v1/departments/{department_id}/employees
        GET /v1/departments/{department_id}/employees/{employee_id}
        GET /v1/employees/{employee_id}/departments
        GET /v1/employees/{employee_id}/departments/{department_id}
        GET /v1/department-employees/export
        GET /v1/schema
        GET /v1/schema/history
    """,
    "admin editor": """
        POST /v1/users
        PATCH /v1/users/{user_id}
        PUT /v1/users/{user_id}/preferences
        PATCH /v1/users/{user_id}/preferences
        POST /v1/users/import
        PUT /v1/users/{user_id}/roles/{role}
        DELETE /v1/users/{user_id}/roles/{role}
        PUT /v1/users/{user_id}/password
        POST /v1/users/{user_id}/password-links
        PUT /v1/departments/{department_id}/employees/{employee_id}
        DELETE /v1/departments/{department_id}/employees/{employee_id}
        PUT /v1/employees/{employee_id}/departments/{department_id}
        DELETE /v1/employees/{employee_id}/departments/{department_id}
        POST /v1/department-employees/import
    """,
    "admin": """
        DELETE /v1/users/{user_id}
        GET /v1/users/{user_id}/archive
        GET /v1/tokens
        POST /v1/users/{user_id}/tokens
        DELETE /v1/tokens/{token_id}
        GET /metrics
        GET /v1/events
        GET /v1/events/feed
        PUT /v1/roles/{name}
        PATCH /v1/roles/{name}
        DELETE /v1/roles/{name}
        GET /v1/logins
        GET /v1/users/{user_id}/logins
    """,
}
LINES = [(line.strip(), names) for names, lines in MATRIX.items() for line in lines.split("\n") if line.strip()]
LINES += [(line.format(noun=noun, id=id), "admin editor viewer") for noun, id in NOUNS.items() for line in READ]
LINES += [(line.format(noun=noun, id=id), "admin editor") for noun, id in NOUNS.items() for line in WRITTEN]
ALLOWED = {line: names.split() for line, names in LINES}


class Values(dict[str, object]):
    """What stands in paths; every id that is not given is 1."""

    def __missing__(self, _name: str) -> object:
        return 1


@dataclass(frozen=True, slots=True)
class Case:
    """One request, as one role, about the caller's own things or those of another user."""

    route: str
    role: str
    own: bool

    @property
    def allowed(self) -> bool:
        return self.role in ALLOWED[self.route]


def cases() -> Iterator[Case]:
    for route in ALLOWED:
        for role in (*ROLES, "nobody"):
            yield Case(route, role, own=False)
            if "{user_id}" in route or "{token_id}" in route:
                yield Case(route, role, own=True)


@pytest.fixture(scope="module")
async def guarded(sqlite_template_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Roster]:
    """A service of this module's own: none of the requests changes anything in it."""
    folder: Path = tmp_path_factory.mktemp("matrix")
    async with serving_in_process(copy_of(sqlite_template_url, folder)) as roster:
        yield roster


@pytest.fixture(scope="module")
async def callers(guarded: Roster) -> dict[str, Caller]:
    roles = {role: [role] if role != "none" else [] for role in ROLES}
    return {role: await add_caller(guarded, *held) for role, held in roles.items()}


def served() -> set[str]:
    routes = [each for each in create_app(Settings()).litestar.routes if isinstance(each, HTTPRoute)]
    return {f"{method} {route.path_format}" for route in routes for method in route.methods if method != "OPTIONS"}


def test_the_matrix_names_every_route() -> None:
    assert len(LINES) == len(ALLOWED)
    assert set(ALLOWED) == served()


async def test_every_role_may_do_what_the_matrix_says_and_nothing_else(
    guarded: Roster, callers: dict[str, Caller]
) -> None:
    wrong = []
    async with client_of(guarded) as client:
        for case in cases():
            answer = await ask(client, case, callers)
            refusal = 401 if case.role == "nobody" else 403
            if (answer.status_code in (401, 403)) is case.allowed or (
                not case.allowed and answer.status_code != refusal
            ):
                wrong.append(f"{case}: {answer.status_code} {answer.text}")
            if case.allowed and answer.status_code >= 500:
                wrong.append(f"{case}: {answer.status_code}")
    assert wrong == []


async def ask(client: httpx.AsyncClient, case: Case, callers: dict[str, Caller]) -> httpx.Response:
    """Send a request that changes nothing where it is allowed: no body, and a version that nothing has."""
    method, path = case.route.split()
    caller = callers.get(case.role)
    # Another user without a role: what depends on the other's permissions has tests of its own.
    about = caller if case.own and caller else callers["none"]
    values = Values(user_id=about.user_id, token_id=about.token_id, role="viewer", name="viewer")
    headers = {"if-match": '"999"'} if method != "GET" else {}
    return await client.request(method, path.format_map(values), headers=headers | (caller.headers if caller else {}))


async def test_nothing_was_changed(guarded: Roster, callers: dict[str, Caller]) -> None:
    async with client_of(guarded) as client:
        for path in ("/v1/users", "/v1/tokens?kind=token"):
            listed = (await client.get(path, headers=callers["admin"].headers)).json()["items"]
            assert [each["version"] for each in listed] == [1] * len(ROLES)
