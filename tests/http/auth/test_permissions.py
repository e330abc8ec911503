from collections.abc import Iterator
from typing import Any

from litestar.routes import HTTPRoute

from service.app import create_app
from service.http.auth.permissions import ANYONE, BUILT_IN, MEANING, PERMISSIONS, PUBLIC
from service.settings import Settings


def routes() -> Iterator[tuple[str, Any]]:
    """Every method of every route, with the function that answers."""
    for route in create_app(Settings()).litestar.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield f"{method} {route.path_format}", handler.fn


def test_every_route_declares_what_it_requires() -> None:
    known = {*PERMISSIONS, PUBLIC, ANYONE}
    assert [name for name, endpoint in routes() if getattr(endpoint, "permission", None) not in known] == []


def test_built_in_roles_hold_known_permissions_and_admin_holds_all() -> None:
    assert BUILT_IN["admin"] == {*PERMISSIONS} == MEANING.keys()
    assert BUILT_IN["viewer"] < BUILT_IN["editor"] < BUILT_IN["admin"]
    assert all(each.endswith(".read") for each in BUILT_IN["viewer"])
