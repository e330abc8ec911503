"""Finds the endpoint of a request by its path, segment by segment."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from litestar import Litestar, Request
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

Endpoint = Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]


class Found(NamedTuple):
    """An endpoint, the template of its path, and the names of the parameters in it."""

    endpoint: Endpoint
    template: str
    names: tuple[str, ...]


class _Node:
    __slots__ = ("children", "endpoints", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.endpoints: dict[str, Found] = {}


class Routes:
    """The endpoints that Litestar's routes call, found by the rules of its own router: a name before a parameter.

    Litestar keeps the last 1,024 paths that it has met, which paths with ids never repeat (docs/decisions/0016).
    """

    def __init__(self, app: Litestar) -> None:
        self._root = _Node()
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                self._add(route)

    def find(self, method: str, path: str) -> tuple[Found, dict[str, str]] | None:
        """Return the endpoint and the values of its parameters; `None` where Litestar has to answer."""
        node = self._root
        values = []
        for segment in path[1:].split("/"):
            child = node.children.get(segment)
            if child is None:
                child = node.parameter
                if child is None:
                    return None
                values.append(segment)
            node = child
        found = node.endpoints.get(method)
        return None if found is None else (found, dict(zip(found.names, values, strict=True)))

    def _add(self, route: HTTPRoute) -> None:
        node = self._root
        names = []
        for component in route.path_components:
            if isinstance(component, str):
                node = node.children.setdefault(component, _Node())
            else:
                names.append(component.name)
                node.parameter = node = node.parameter or _Node()
        for handler in route.route_handlers:
            if hasattr(handler.fn, "permission"):
                found = Found(handler.fn, route.path_format, tuple(names))
                node.endpoints |= dict.fromkeys(_methods(handler.http_methods), found)


def _methods(methods: Iterable[Any]) -> list[str]:
    return [str(getattr(each, "value", each)) for each in methods]
