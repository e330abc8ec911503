"""The endpoints of `Routes` are those of Litestar's own router."""

import pytest
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute

from service.app import create_app
from service.http.routing import Routes
from service.settings import Settings

LITESTAR = create_app(Settings(database_url="sqlite:///unused.db")).litestar
ROUTES = Routes(LITESTAR)
PATHS = [
    route.path_format.replace("{", "").replace("}", "") for route in LITESTAR.routes if isinstance(route, HTTPRoute)
]
OTHERS = ["/", "/v1", "/v1/users/7/nothing", "/v2/users", "/docs/a/b", "/v1/users/import", "/v1/users/7/roles/a/b"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_finds_what_litestar_finds(method: str) -> None:
    for path in [*PATHS, *OTHERS]:
        found = ROUTES.find(method, path)
        try:
            _, handler, _, parameters, template = LITESTAR.asgi_router.handle_routing(path=path, method=method)
        except HTTPException:
            assert found is None, path
            continue
        if method == "OPTIONS":
            assert found is None, path
            continue
        assert found is not None, path
        assert (found[0].endpoint, found[0].template, found[1]) == (handler.fn, template, parameters), path
