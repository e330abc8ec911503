"""Binds a request to the arguments of a handler by the handler's annotations."""

from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.reader import Reader
from service.db.words import LARGEST_KEY
from service.errors import Fault, Invalid, Malformed, NotFound
from service.http import json_objects
from service.http.answers import content_length, header
from service.http.auth.actors import Actor
from service.http.etags import Conditions
from service.http.parameters import Parameters
from service.http.problems import TooLarge, UnsupportedMedia
from service.http.wire import WRONG, Body

_MOST_DIGITS = len(str(LARGEST_KEY))
_JSON = ("application/json",)
_PATCH = ("application/json", "application/merge-patch+json")

_Binder = Callable[[Any, bytes], Any]


class Binding:
    """The arguments of a handler: `body`, `query`, `Conditions`, `Actor` and, by their names, those in the path."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        hints = get_type_hints(handler)
        self.returned = hints.pop("return")
        # A struct, or JsonObject for an object of the caller's own making.
        self.body: Any = hints.get("body")
        self.query: type[msgspec.Struct] | None = hints.get("query")
        self.conditional = Conditions in hints.values()
        named = get_type_hints(handler, include_extras=True)
        self.names = {name: named[name] for name, kind in hints.items() if kind is str}
        # The path is checked first: an id that cannot exist is 404 whatever the body holds.
        self._ids = [name for name, kind in hints.items() if kind is int]
        self._binders: dict[str, _Binder] = {
            name: _binder(name, kind)
            for name, kind in hints.items()
            if kind not in (int, str, Reader, AsyncSession) and name != "request"
        }
        self._binders.setdefault("query", _binder("query", NoParameters))

    @property
    def statuses(self) -> set[int]:
        """The statuses of the errors that binding raises."""
        found = {400, 422}
        if self._ids or self.names:
            found.add(404)
        if self.body is not None:
            found.add(415)
        return found

    def bind(self, scope: Any, raw: bytes) -> dict[str, Any]:
        """Return the handler's arguments.

        Raises:
            NotFound: an id in the path is not an id.
            Malformed: the body or the query string cannot be parsed.
            Invalid: values are not valid; the error lists all faults of body and query.
        """
        values: dict[str, Any] = {}
        for name in self._ids:
            values[name] = read_id(scope["path_params"][name])
        for name, kind in self.names.items():
            values[name] = read_name(scope, name, kind)
        faults: list[Fault] = []
        for name, binder in self._binders.items():
            try:
                values[name] = binder(scope, raw)
            except Invalid as invalid:
                faults += invalid.faults
        if faults:
            raise Invalid(WRONG, *faults)
        if self.query is None:
            del values["query"]
        return values

    async def read_body(self, request: Request[Any, Any, Any], limit: int) -> bytes:
        """Return the whole body; no database connection is held while the body arrives.

        Raises:
            TooLarge: the body has more bytes than the limit.
            UnsupportedMedia: the handler takes another media type.
            Malformed: the body is missing or incomplete.
        """
        if content_length(request.scope) > limit:
            raise TooLarge(f"The body is longer than {limit} bytes.")
        chunks: list[bytes] = []
        size = 0
        while True:
            message: Any = await request.receive()
            if message["type"] == "http.disconnect":
                raise Malformed("The request ended before its body did.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"The body is longer than {limit} bytes.")
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
        raw = b"".join(chunks)
        if self.body is not None:
            _check_media(request.scope, raw)
        return raw


class NoParameters(msgspec.Struct, frozen=True):
    """The query of a route without parameters."""


def _binder(name: str, kind: Any) -> _Binder:
    if kind == json_objects.JsonObject:
        return lambda _scope, raw: json_objects.read(raw)
    if kind is Actor:
        return lambda scope, _raw: scope["actor"]
    if name == "body":
        body: Body[Any] = Body(kind)
        return lambda _scope, raw: body.read(raw)
    if name == "query":
        parameters: Parameters[Any] = Parameters(kind)
        return lambda scope, _raw: parameters.read(scope["query_string"])
    return lambda scope, _raw: Conditions(scope)


def read_id(text: str) -> int:
    """Return the id in a path.

    Raises:
        NotFound: the text is not an id, so no resource has this address.
    """
    written_by_us = text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= _MOST_DIGITS
    if not written_by_us or (number := int(text)) > LARGEST_KEY:
        raise NotFound("There is nothing at this address.")
    return number


def read_name(scope: Any, parameter: str, kind: Any) -> str:
    """Return the name in a path.

    Raises:
        NotFound: nothing can be called that.
        Invalid: the same of PUT, which creates what it names.
    """
    try:
        name: str = msgspec.convert(scope["path_params"][parameter], kind)
    except msgspec.ValidationError:
        if scope["method"] != "PUT":
            raise NotFound("There is nothing at this address.") from None
        raise Invalid(WRONG, Fault(parameter=parameter, detail=_explained(kind))) from None
    return name


def _explained(kind: Any) -> str:
    meta = msgspec.inspect.type_info(kind)
    return f"Expected 1 to {meta.type.max_length} characters. {meta.extra_json_schema['description']}"  # type: ignore[attr-defined]


def _check_media(scope: Any, raw: bytes) -> None:
    media = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    known = _PATCH if scope["method"] == "PATCH" else _JSON
    if media not in known:
        raise UnsupportedMedia(f"The body is {media or 'of no media type'}; {' or '.join(known)} is accepted.")
    if not raw:
        raise Malformed("A body is required here.")
