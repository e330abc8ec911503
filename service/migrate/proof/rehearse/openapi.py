"""What an OpenAPI document lets a client read and write: lists, resources with an id, and changes of these."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_PARAMETER = re.compile(r"\{([^{}]+)\}")
_JSON = re.compile(r"application/([\w.-]+\+)?json\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path; `schema` is that of the request body, with the media type to send it as."""

    method: str
    path: str
    schema: Any = None
    media_type: str = ""
    headers: frozenset[str] = frozenset()
    limit: int = 0

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The operations of a service; `creates` maps the path of a resource to the POST that makes one.

    A link is what two resources have in common: `links` maps its path to the PUT that makes it and the DELETE.
    """

    document: Any
    reads: list[Operation] = field(default_factory=list)
    updates: list[Operation] = field(default_factory=list)
    creates: dict[str, Operation] = field(default_factory=dict)
    deletes: list[Operation] = field(default_factory=list)
    links: dict[str, tuple[Operation, Operation]] = field(default_factory=dict)

    @property
    def operations(self) -> list[Operation]:
        linking = [each for pair in self.links.values() for each in pair]
        return [*self.reads, *self.updates, *self.creates.values(), *self.deletes, *linking]

    def holder(self, path: str) -> str:
        """The resource that the last parameter of a path names, by the path itself or by the parameter's name."""
        prefix = path[: path.rindex("}") + 1]
        if prefix in self.creates:
            return prefix
        last = _PARAMETER.findall(prefix)[-1]
        named = [each for each in self.creates if _PARAMETER.findall(each) == [last]]
        return named[0] if len(named) == 1 else ""


def read(document: Any, is_skipped: Any) -> Api:
    """What a document describes; `is_skipped` is called with an operation."""
    found = [each for each in _operations(document) if not is_skipped(each)]
    api = Api(document=document)
    by_name = {each.name: each for each in found}
    for each in found:
        is_detail = each.method == "GET" and each.path.endswith("}")
        create = by_name.get(f"POST {each.path.rpartition('/')[0]}") if is_detail else None
        if create is not None and create.schema is not None:
            api.creates[each.path] = create
    api.links.update(_links(api, by_name))
    for each in found:
        if each.path in api.links or not all(_is_known(api, each.path)):
            continue
        if each.method == "GET":
            api.reads.append(each)
        elif each.method == "DELETE" and each.path in api.creates and not _has_parts(api, each.path):
            api.deletes.append(each)
        elif each.method in ("PATCH", "PUT") and each.schema is not None and f"GET {each.path}" in by_name:
            api.updates.append(each)
    for path in [each for each in api.creates if not all(_is_known(api, each))]:
        del api.creates[path]
    return api


def _links(api: Api, by_name: Mapping[str, Operation]) -> Iterator[tuple[str, tuple[Operation, Operation]]]:
    for each in by_name.values():
        is_pair = each.method == "PUT" and each.path.endswith("}") and len(each.parameters) == 2
        delete = by_name.get(f"DELETE {each.path}")
        if is_pair and delete and f"GET {each.path}" in by_name and each.path not in api.creates:
            holders = {api.holder(each.path[: found.end()]) for found in _PARAMETER.finditer(each.path)}
            if len(holders) == 2 and all(holders):
                yield each.path, (each, delete)


def _has_parts(api: Api, path: str) -> bool:
    """Whether other resources are made below one, and would go with it."""
    return any(each.startswith(f"{path}/") for each in api.creates)


def resolve(document: Any, node: Any) -> Any:
    """The node itself, or what its $ref leads to; an empty one if that is not in the document."""
    seen = 0
    while isinstance(node, dict) and "$ref" in node and seen < 20:
        seen += 1
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name, {}) if isinstance(target, dict) else {}
        node = target
    return node


def _is_known(api: Api, path: str) -> Iterator[bool]:
    """Whether there are ids for each parameter of a path."""
    for found in _PARAMETER.finditer(path):
        yield bool(api.holder(path[: found.end()]))


def _operations(document: Any) -> Iterator[Operation]:
    for path, item in (document.get("paths") or {}).items():
        for method, described in item.items():
            if method not in ("get", "post", "patch", "put", "delete") or not isinstance(described, dict):
                continue
            parameters = [
                resolve(document, each) for each in (*item.get("parameters", ()), *described.get("parameters", ()))
            ]
            if any(each.get("in") == "query" and each.get("required") for each in parameters):
                continue
            if method == "get" and not _answers_json(document, described):
                continue
            media_type, schema = _body(document, described)
            limit: Any = next(
                (each for each in parameters if (each.get("in"), each.get("name")) == ("query", "limit")), {}
            )
            yield Operation(
                method=method.upper(),
                path=path,
                schema=schema,
                media_type=media_type,
                headers=frozenset(each["name"].lower() for each in parameters if each.get("in") == "header"),
                limit=resolve(document, limit.get("schema", {})).get("maximum", 100) if limit else 0,
            )


def _answers_json(document: Any, described: Any) -> bool:
    """Whether a response of success is JSON; a document that does not say is believed to mean so."""
    responses = [
        resolve(document, each) for status, each in described.get("responses", {}).items() if status[:1] == "2"
    ]
    contents = [each.get("content") for each in responses]
    return not contents or any(content and any(map(_JSON.match, content)) for content in contents)


def _body(document: Any, described: Any) -> tuple[str, Any]:
    content = resolve(document, described.get("requestBody", {})).get("content", {})
    for media_type in sorted(content, key=lambda each: each != "application/json"):
        if _JSON.match(media_type):
            return media_type, content[media_type].get("schema", {})
    return "", None
