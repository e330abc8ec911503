"""What a route declares of itself: the API description and the check of the token go by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from service.http.auth.permissions import ANYONE, PUBLIC, Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The declaration of a route, from which the OpenAPI document is generated.

    `problems` are the statuses of all its errors, those of binding included.
    """

    name: str
    summary: str
    permission: Access
    status: int
    result: Any
    problems: tuple[int, ...]
    body: Any = None
    query: type[msgspec.Struct] | None = None
    writes: bool = False
    conditional: bool = False
    tagged: bool = False
    idempotent: bool = False
    # The types of the names in the path; other path parameters are ids.
    names: Mapping[str, Any] = field(default_factory=dict)
    # Whether PUT may create: it answers 201 then.
    places: bool = False
    # Media types of a body or response other than JSON, and the struct of its lines.
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    lines: type[msgspec.Struct] | None = None
    # Whether `Accept: text/event-stream` gets Server-Sent Events, each with a JSON document as its data.
    streams: bool = False


def refusals(permission: Access) -> set[int]:
    """Return the statuses of what is refused before the handler is asked: no token, or one without the permission."""
    if permission == PUBLIC:
        return set()
    # The token itself is looked up in the database.
    return {401, 503} if permission == ANYONE else {401, 403, 503}
