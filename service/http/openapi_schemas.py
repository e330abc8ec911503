"""The JSON Schemas of the OpenAPI document: those of msgspec, simplified as OpenAPI 3.1 permits."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from types import NoneType
from typing import Any

import msgspec
from msgspec import inspect

from service.http.operations import Operation
from service.http.problems import Problem

_REFERENCE = "#/components/schemas/{name}"


class Schemas:
    """The schemas of all request and response bodies."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        declared = list(operations)
        queries: list[Any] = [each.query for each in declared]
        taken: list[Any] = [each.body for each in declared]
        given: list[Any] = [Problem, *(each.result for each in declared)]
        documents = _all_structs([*taken, *given])
        taken += [each.lines for each in declared if each.takes]
        given += [each.lines for each in declared if each.gives]
        outputs = _all_structs(given)
        kinds = [each for each in dict.fromkeys([*queries, *taken, *given, *outputs]) if each not in (None, NoneType)]
        schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
        self._schemas: dict[Any, dict[str, Any]] = dict(zip(kinds, schemas, strict=True))
        self._named = {name: _plain(schema) for name, schema in components.items()}
        for struct in outputs:
            _complete(self._of_struct(struct), struct)
        # Structs of queries and of lines of a file are inlined: no reference leads to them.
        structs = [each for each in [*queries, *taken, *given] if isinstance(each, type(msgspec.Struct))]
        written_out = {self._name(each) for each in structs} - {self._name(each) for each in documents}
        self.components = {name: schema for name, schema in sorted(self._named.items()) if name not in written_out}

    def of(self, kind: Any) -> dict[str, Any]:
        return self._schemas[kind]

    def parameters(self, query: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
        """Return the query parameters in the order of the struct's fields."""
        if query is None:
            return []
        properties = self._of_struct(query)["properties"]
        names = [each.encode_name for each in msgspec.structs.fields(query)]
        return [_query_parameter(name, {**properties[name]}) for name in names]

    def file(self, media: str, lines: type[msgspec.Struct] | None) -> dict[str, Any]:
        """Return the media type objects of a file, with a schema of its lines."""
        # Client generators take this format for a file.
        binary = {"format": "binary"} if media == "application/octet-stream" else {}
        document: dict[str, Any] = {"schema": {"type": "string"} | binary}
        if lines is not None:
            # OpenAPI 3.2 has itemSchema for the lines.
            named = self._name(lines) in self.components
            document["x-item-schema"] = self._schemas[lines] if named else self._of_struct(lines)
        return document

    def file_example(self, media: str, lines: type[msgspec.Struct] | None) -> dict[str, str]:
        """Return an example of a file with the required fields; empty if none is required."""
        if media == "application/octet-stream":
            return {}
        line = {} if lines is None else self._of_struct(lines)
        values = {name: line["properties"][name]["examples"][0] for name in line.get("required", ())}
        if not values:
            return {}
        if media == "application/x-ndjson":
            return {"example": msgspec.json.encode(values).decode() + "\n"}
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([values.keys(), values.values()])
        return {"example": text.getvalue()}

    def _of_struct(self, struct: type[msgspec.Struct]) -> dict[str, Any]:
        schema: dict[str, Any] = self._named[self._name(struct)]
        return schema

    def _name(self, struct: type[msgspec.Struct]) -> str:
        return str(self._schemas[struct]["$ref"]).rpartition("/")[2]


def _all_structs(kinds: Iterable[Any]) -> list[type[msgspec.Struct]]:
    return list(dict.fromkeys(struct for kind in kinds for struct in _structs(inspect.type_info(kind))))


def _structs(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs within a type, the type itself included."""
    match kind:
        case inspect.StructType(cls=struct, fields=fields):
            yield struct
            for field in fields:
                yield from _structs(field.type)
        case inspect.ListType(item_type=held) | inspect.Metadata(type=held):
            yield from _structs(held)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _structs(each)


def _complete(schema: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    """Mark every field of a response required: msgspec omits fields with defaults, which only requests may omit."""
    for each in schema["properties"].values():
        each.pop("default", None)
    if not struct.__struct_config__.omit_defaults:
        fields = msgspec.structs.fields(struct)
        schema["required"] = [each.encode_name for each in fields if each.default is not msgspec.UNSET]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "query"}
    if description := schema.pop("description", None):
        parameter["description"] = description
    # Swagger UI would send the examples, and so filter the list.
    schema.pop("examples", None)
    return parameter | {"schema": schema}


def _plain(schema: Any) -> Any:
    """Return the schema in its shortest 3.1 form: `type: [string, null]` for nullable, `type` beside `enum`."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if (name, value) != ("required", [])}
    if "enum" in plain and "type" not in plain and all(isinstance(each, str) for each in plain["enum"]):
        plain = {"type": "string"} | plain
    match plain.pop("anyOf", None):
        case None:
            return plain
        case [{"type": str(kind), **value}, {"type": "null"}] if "enum" not in value:
            return {"type": [kind, "null"]} | value | plain
        case choices:
            return plain | {"anyOf": choices}
