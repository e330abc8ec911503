"""The OpenAPI 3.1 document, generated from the declarations of the registered routes."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Any

import msgspec
from litestar import Litestar

from service import __version__
from service.http.auth.permissions import ANYONE, PUBLIC, Access
from service.http.openapi_descriptions import describe_operation, describe_tag
from service.http.openapi_parts import (
    HEADERS,
    ID,
    INTRODUCTION,
    PARAMETERS,
    SECURITY_SCHEMES,
    problem_name,
    problem_response,
    refer_to_headers,
    refusals,
)
from service.http.openapi_schemas import Schemas
from service.http.operations import Operation

_METHODS = ("get", "post", "put", "patch", "delete")
_MERGE_PATCH = "application/merge-patch+json"
_OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class _Served:
    path: str
    method: str
    operation: Operation
    description: str | None


def describe_api(app: Litestar) -> dict[str, Any]:
    """Return the document of every route with a declared operation."""
    served = sorted(_served(app), key=lambda each: _tag(each.path) == _OPERATIONS)
    schemas = Schemas(each.operation for each in served)
    paths: dict[str, Any] = {}
    for each in served:
        path = paths.setdefault(each.path, _path_item(each.path, each.operation))
        path[each.method] = _operation(each, schemas)
    _link(paths)
    statuses = sorted({status for each in served for status in _problems(each)})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Roster",
            "version": __version__,
            "description": INTRODUCTION,
            "contact": {"name": "Roster contributors"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Relative to the document, so it holds for every host and port.
        "servers": [{"url": "/"}],
        "security": _security(ANYONE),
        "tags": _tags(served),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {problem_name(status): problem_response(status) for status in statuses},
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _served(app: Litestar) -> Iterable[_Served]:
    """Yield the routes by path, in the order of registration, with the methods in their usual order."""
    for route in app.routes:
        by_method = {
            method.lower(): handler
            for handler in getattr(route, "route_handlers", ())
            for method in handler.http_methods
            if hasattr(handler.fn, "operation")
        }
        for method in _METHODS:
            if method in by_method:
                endpoint = by_method[method].fn
                yield _Served(route.path_format, method, endpoint.operation, endpoint.__doc__)


def _tag(path: str) -> str:
    version, _, rest = path.strip("/").partition("/")
    return rest.partition("/")[0] if version == "v1" else _OPERATIONS


def _tags(served: list[_Served]) -> list[dict[str, str]]:
    grouped: dict[str, list[Operation]] = {}
    for each in served:
        grouped.setdefault(_tag(each.path), []).append(each.operation)
    return [{"name": tag, "description": describe_tag(tag, operations)} for tag, operations in grouped.items()]


def _path_item(path: str, operation: Operation) -> dict[str, Any]:
    names = _parameters(path)
    if not names:
        return {}
    schemas = {name: msgspec.json.schema(kind) for name, kind in operation.names.items()}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": schemas.get(name, ID)} for name in names
        ]
    }


def _parameters(path: str) -> list[str]:
    return [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]


def _operation(served: _Served, schemas: Schemas) -> dict[str, Any]:
    operation = served.operation
    document: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [_tag(served.path)],
    }
    if operation.permission != ANYONE:
        document["security"] = _security(operation.permission)
    if description := describe_operation(served.method, operation, served.description):
        document["description"] = description
    if parameters := [*schemas.parameters(operation.query), *_header_parameters(served)]:
        document["parameters"] = parameters
    if content := _request_content(served, schemas):
        document["requestBody"] = {"required": True, "content": content}
    document["responses"] = _answers(served, schemas) | {
        str(status): {"$ref": f"#/components/responses/{problem_name(status)}"} for status in _problems(served)
    }
    return document


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access == PUBLIC:
        return []
    needed: list[str] = [] if access == ANYONE else [access]
    return [{scheme: needed} for scheme in SECURITY_SCHEMES]


def _problems(served: _Served) -> list[int]:
    return sorted({*served.operation.problems, *refusals(served.path)})


def _header_parameters(served: _Served) -> list[dict[str, str]]:
    takes = {
        "IfMatch": served.operation.conditional or (served.method == "get" and served.operation.tagged),
        "IfNoneMatch": served.method == "get" and served.operation.tagged,
        "IdempotencyKey": served.operation.idempotent,
    }
    return [{"$ref": f"#/components/parameters/{name}"} for name, taken in takes.items() if taken]


def _request_content(served: _Served, schemas: Schemas) -> dict[str, Any]:
    takes, lines, body = served.operation.takes, served.operation.lines, served.operation.body
    if takes:
        return {media: schemas.file(media, lines) | schemas.file_example(media, lines) for media in takes}
    if body is None:
        return {}
    medias = ["application/json", _MERGE_PATCH] if served.method == "patch" else ["application/json"]
    return {media: {"schema": schemas.of(body)} for media in medias}


def _answers(served: _Served, schemas: Schemas) -> dict[str, Any]:
    operation = served.operation
    headers = ["X-Request-ID"]
    headers += ["ETag"] if operation.tagged else []
    headers += ["Link"] if "next_cursor" in getattr(operation.result, "__struct_fields__", ()) else []
    headers += ["Idempotency-Replayed"] if operation.idempotent else []
    # The status of PUT says whether the resource is new; its URL is that of the request.
    statuses = [200, 201] if operation.places else [operation.status]
    answers = {}
    for status in statuses:
        located = ["Location"] if status == 201 and served.method == "post" else []
        answers[str(status)] = {
            "description": _DESCRIPTIONS[status],
            "headers": refer_to_headers(headers + located),
            **_answer_content(operation, schemas),
        }
    if served.method == "get" and served.operation.tagged:
        answers["304"] = {"description": _DESCRIPTIONS[304], "headers": refer_to_headers(headers)}
    return answers


_DESCRIPTIONS = {
    200: "Done.",
    201: "Created.",
    204: "Done; there is nothing to show.",
    304: "The caller has what would be shown.",
}


def _answer_content(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    if operation.gives:
        return {"content": {media: schemas.file(media, operation.lines) for media in operation.gives}}
    if operation.result in (None, NoneType):
        return {}
    stream = {"text/event-stream": {"schema": {"type": "string"}}} if operation.streams else {}
    return {"content": {"application/json": {"schema": schemas.of(operation.result)}} | stream}


def _link(paths: dict[str, Any]) -> None:
    """Return the links from a created or replaced resource to its other operations."""
    for path, item in paths.items():
        base, _, last = path.rpartition("/")
        known = {name: f"$request.path.{name}" for name in _parameters(path)}
        for answer in (item.get("put", {}).get("responses", {}).get(status) for status in ("200", "201")):
            if answer:
                answer["links"] = _next(item, known)
        created = paths.get(base, {}).get("post", {}).get("responses", {}).get("201")
        if created and last.startswith("{"):
            created["links"] = _next(item, known | {last[1:-1]: "$response.body#/id"})


def _next(item: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    names = [item[method]["operationId"] for method in ("get", "patch", "delete") if method in item]
    return {name: {"operationId": name, "parameters": parameters} for name in names}
