"""What the way past Litestar's own call of a handler leaves out is not asked for anywhere."""

from pathlib import Path

import httpx
from litestar.routes import HTTPRoute

from service.app import Roster, create_app
from service.settings import Settings
from tests.conftest import client_of

APP = create_app(Settings()).litestar
HANDLERS = {
    f"{method} {route.path}": handler
    for route in APP.routes
    if isinstance(route, HTTPRoute)
    for method, (handler, _) in route.route_handler_map.items()
}


def test_no_handler_relies_on_what_is_not_run() -> None:
    for name, handler in HANDLERS.items():
        unrun = {
            "guards": handler.resolve_guards(),
            "dependencies": handler.resolve_dependencies(),
            "before_request": handler.resolve_before_request(),
            "after_response": handler.resolve_after_response(),
            "response_headers": handler.resolve_response_headers(),
            "response_cookies": handler.resolve_response_cookies(),
            "return_dto": handler.resolve_return_dto(),
            "cache": handler.cache,
            "background": handler.background,
        }
        assert {asked for asked, value in unrun.items() if value} == set(), name


def test_every_handler_takes_a_request_and_nothing_else() -> None:
    for name, handler in HANDLERS.items():
        if not name.startswith("OPTIONS"):
            assert list(handler.parsed_fn_signature.parameters) == ["request"], name


async def test_options_are_litestars_own(client: httpx.AsyncClient) -> None:
    assert (await client.options("/v1/users")).status_code == 204


async def test_applications_that_share_their_routes_share_no_state(shared_roster: Roster, tmp_path: Path) -> None:
    other = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'missing' / 'roster.db'}"))
    seen = {}
    for root_path in ("", "/api"):
        for name, roster in [("shared", shared_roster), ("other", other)]:
            async with client_of(roster, root_path) as client:
                seen[name, root_path] = (await client.get(f"{root_path}/version")).status_code
    await other.database.close()
    assert seen == {("shared", ""): 200, ("other", ""): 503, ("shared", "/api"): 200, ("other", "/api"): 503}
