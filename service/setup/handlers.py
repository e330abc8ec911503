"""The first administrator over HTTP."""

from typing import Any

from litestar import Request, Router

from service.http.auth.permissions import PUBLIC
from service.http.rendering import Secret
from service.http.unit import performs
from service.setup import actions, schemas


@performs(
    "POST",
    "/v1/setup",
    permission=PUBLIC,
    summary="Create the first administrator",
    status=201,
    result=schemas.AdministratorCreated,
    problems=(403, 409, 503),
)
async def create_administrator(request: Request[Any, Any, Any], body: schemas.Setup) -> Secret:
    """Creates a user with the role admin, a password and a token, once, while no active user has that role.

    The code is in the URL that `roster serve` prints when it starts without an administrator; it is valid for 30
    minutes.
    """
    made = await actions.create_first(request, body)
    return Secret(made, f"/v1/users/{made.id}")


router = Router("/", route_handlers=[create_administrator])
