"""What linters of API descriptions ask for (the rules that Redocly and Spectral recommend), and generators need."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from service.app import create_app
from service.http.openapi import describe_api
from service.settings import Settings

Document = dict[str, Any]
# Bodies of these types come out of every generator of clients; other types are left out by some.
KNOWN_TO_GENERATORS = {"application/json", "application/octet-stream"}


@pytest.fixture(scope="module")
def document() -> Document:
    return describe_api(create_app(Settings()).litestar)


@pytest.fixture(scope="module")
def operations(document: Document) -> list[Document]:
    return [each for path in document["paths"].values() for method, each in path.items() if method != "parameters"]


def nested(value: object) -> Iterator[Document]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nested(each)


def resolved(document: Document, value: Document) -> Document:
    while reference := value.get("$ref"):
        value = document
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]
    return value


def test_the_api_names_its_contact_licence_server_and_security(document: Document) -> None:
    assert document["info"]["contact"]["name"]
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document["info"]["description"]
    # Relative to where the document is: right for any host and port.
    assert document["servers"] == [{"url": "/"}]
    assert document["security"]


def test_every_tag_is_declared_and_described(document: Document, operations: list[Document]) -> None:
    declared = [tag["name"] for tag in document["tags"]]
    assert len(declared) == len(set(declared))
    assert all(tag["description"].endswith(".") for tag in document["tags"])
    assert {tag for each in operations for tag in each["tags"]} == set(declared)


def test_every_operation_says_what_it_does(operations: list[Document]) -> None:
    assert len({each["summary"] for each in operations}) > len(operations) * 0.9
    for each in operations:
        assert each["summary"], each["operationId"]
        assert each["description"].endswith("."), each["operationId"]
        assert "<script" not in each["description"]


def test_every_operation_tells_of_success_and_of_a_callers_mistake(operations: list[Document]) -> None:
    lacking = [
        each["operationId"]
        for each in operations
        for kind in "24"
        if not any(status.startswith(kind) for status in each["responses"])
    ]
    assert lacking == []


def test_parameters_are_said_once_and_those_of_paths_are_in_the_path(document: Document) -> None:
    for path, item in document["paths"].items():
        assert not path.endswith("/")
        for method in item.keys() - {"parameters"}:
            said = [
                resolved(document, each) for each in [*item.get("parameters", []), *item[method].get("parameters", [])]
            ]
            names = [(each["in"], each["name"]) for each in said]
            assert len(names) == len(set(names))
            assert all(f"{{{name}}}" in path for kind, name in names if kind == "path")
            assert path.count("{") == sum(kind == "path" for kind, _ in names)


def test_every_component_is_used_and_every_reference_leads_somewhere(document: Document) -> None:
    # A security scheme is referred to by its name alone.
    schemes = {f"#/components/securitySchemes/{name}" for each in document["security"] for name in each}
    used = {each["$ref"] for each in nested(document) if isinstance(each.get("$ref"), str)}
    there = {f"#/components/{kind}/{name}" for kind, held in document["components"].items() for name in held}
    assert used | schemes == there
    # Linters do not look into extensions: what only these refer to is unused to them.
    plain = {each["$ref"] for each in nested(without_extensions(document)) if isinstance(each.get("$ref"), str)}
    assert plain | schemes == there


def without_extensions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_extensions(each) for name, each in value.items() if not str(name).startswith("x-")}
    return [without_extensions(each) for each in value] if isinstance(value, list) else value


def test_every_example_and_default_fits_its_schema(document: Document) -> None:
    checked = 0
    for each in nested(document):
        schema = each.get("schema", each)
        examples = each["examples"] if isinstance(each.get("examples"), list) else []
        examples = [
            *examples,
            *(each[name] for name in ("example", "default") if name in each and "properties" not in each),
        ]
        for example in examples:
            root = {"components": document["components"], **schema}
            jsonschema.Draft202012Validator(root).validate(example)
            checked += 1
    assert checked > 100


def test_every_enumeration_has_one_type_and_no_value_twice(document: Document) -> None:
    enumerations = [each for each in nested(document) if isinstance(each.get("enum"), list)]
    assert len(enumerations) > 5
    for each in enumerations:
        assert each["type"] == "string"
        assert len(each["enum"]) == len(set(each["enum"]))


def test_every_body_can_be_sent_by_generated_clients(operations: list[Document]) -> None:
    bodies = {each["operationId"]: each["requestBody"]["content"] for each in operations if "requestBody" in each}
    assert {"create_user", "update_user", "import_users", "put_department_employee"} < bodies.keys()
    assert [name for name, content in bodies.items() if not content.keys() & KNOWN_TO_GENERATORS] == []
    binary = [
        content["application/octet-stream"] for content in bodies.values() if "application/octet-stream" in content
    ]
    assert {str(media["schema"]) for media in binary} == {str({"type": "string", "format": "binary"})}
