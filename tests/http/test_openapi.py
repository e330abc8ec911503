import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from service import __version__
from service.app import create_app
from service.http.openapi import describe_api
from service.http.problems import STATUS
from service.settings import Settings

Document = dict[str, Any]
REFUSALS = ("400", "404", "409", "412", "413", "415", "422", "429", "500", "503")
# Pages and their parts are for people; a browser finds them by itself.
FOR_PEOPLE = {"/docs", "/docs/{file}", "/favicon.ico", "/password", "/password/{file}", "/setup", "/setup/{file}"}


@pytest.fixture(scope="module")
def document() -> Document:
    return describe_api(create_app(Settings()).litestar)


def operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from (path[method] for method in ("get", "post", "put", "patch", "delete") if method in path)


def operation(document: Document, name: str) -> Document:
    return next(each for each in operations(document) if each["operationId"] == name)


def nested(value: object) -> Iterator[Document]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nested(each)


def bodies(document: Document) -> Iterator[Document]:
    """The schemas of what is taken in: documents, and lines of files."""
    contents = (each["requestBody"]["content"].values() for each in operations(document) if "requestBody" in each)
    schemas = (media.get("x-item-schema", media["schema"]) for content in contents for media in content)
    for schema in schemas:
        yield document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def test_the_document_is_valid_openapi_31(document: Document) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # 0.4 s, for one of the processes

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    assert document["servers"] == [{"url": "/"}]


def test_every_route_is_described(document: Document) -> None:
    app = create_app(Settings()).litestar
    assert {route.path_format for route in app.routes} - FOR_PEOPLE == set(document["paths"])
    for route in app.routes:
        if route.path_format not in FOR_PEOPLE:
            served = {method.lower() for method in getattr(route, "methods", ())} - {"options"}
            assert served == set(document["paths"][route.path_format]) - {"parameters"}


def test_operation_ids_are_the_handlers_names(document: Document) -> None:
    names = [each["operationId"] for each in operations(document)]
    assert len(names) == len(set(names))
    assert {"list_users", "get_user", "create_user", "update_user", "delete_user", "put_department_employee"} < {*names}


def test_operations_are_grouped_by_noun(document: Document) -> None:
    assert [tag["name"] for tag in document["tags"]][-1] == "operations"
    assert {"users", "records", "departments", "employees"} < {tag["name"] for tag in document["tags"]}
    assert operation(document, "list_department_employees")["tags"] == ["departments"]
    assert operation(document, "get_liveness")["tags"] == ["operations"]


def test_a_nullable_field_keeps_its_bounds(document: Document) -> None:
    created = document["components"]["schemas"]["UserCreate"]["properties"]
    assert created["age"] == {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": 150,
        "examples": [41],
        "default": None,
    }


def test_bounds_are_integers(document: Document) -> None:
    bounds = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
    found = [
        each[bound] for each in nested(document) for bound in bounds if not isinstance(each.get(bound), dict | None)
    ]
    assert len(found) > 100
    assert {type(bound) for bound in found} == {int}


def test_inputs_are_closed_and_outputs_open(document: Document) -> None:
    # Preferences are an object of the caller's own making.
    taken = {schema["title"]: schema for schema in bodies(document) if schema != {"type": "object"}}
    assert {"UserCreate", "UserUpdate", "RecordCreate", "DepartmentEmployeePut", "UserImportLine"} < taken.keys()
    assert {schema["additionalProperties"] for schema in taken.values()} == {False}
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("additionalProperties", True) is (name not in taken), name


def test_fields_with_a_default_may_be_left_out_of_what_is_sent_and_never_of_what_is_shown(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["UserCreate"]["required"] == ["name", "email"]
    assert set(schemas["User"]["required"]) == set(schemas["User"]["properties"])
    assert set(schemas["Report"]["required"]) == set(schemas["Report"]["properties"])
    # A problem omits empty fields, and an employee the departments unless they are included.
    assert schemas["Problem"]["required"] == ["type", "title", "status", "detail"]
    assert set(schemas["EmployeeShown"]["properties"]) - set(schemas["EmployeeShown"]["required"]) == {"departments"}


def test_what_a_patch_may_leave_out_and_what_null_may_empty(document: Document) -> None:
    update = document["components"]["schemas"]["UserUpdate"]
    assert "required" not in update
    emptied = {name for name, schema in update["properties"].items() if "null" in schema["type"]}
    assert {"external_id", "age", "address"} <= emptied <= set(update["properties"]) - {"name", "email", "active"}
    assert not [name for name, schema in update["properties"].items() if "default" in schema]


def test_patch_takes_both_media_types(document: Document) -> None:
    schema = {"schema": {"$ref": "#/components/schemas/RecordUpdate"}}
    content = operation(document, "update_record")["requestBody"]["content"]
    assert content == {"application/json": schema, "application/merge-patch+json": schema}


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("list_users", "200 400 401 403 421 422 500 503"),
        ("get_user", "200 304 400 401 403 404 412 421 422 500 503"),
        ("create_user", "201 400 401 403 409 413 415 421 422 500 503"),
        ("update_user", "200 400 401 403 404 409 412 413 415 421 422 500 503"),
        ("delete_user", "204 400 401 403 404 409 412 413 421 422 500 503"),
        ("put_department_employee", "200 201 400 401 403 404 409 412 413 415 421 422 500 503"),
        ("list_department_employees", "200 400 401 403 404 421 422 500 503"),
        ("import_users", "200 400 401 403 409 413 415 421 422 500 503 507"),
        ("export_users", "200 400 401 403 406 421 422 500 503"),
        ("put_own_password", "204 400 401 403 404 409 413 415 421 422 429 500 503"),
        ("get_liveness", "200 400 500"),
        ("get_readiness", "200 400 500 503"),
        ("get_openapi", "200 304 400 412 421 500"),
    ],
)
def test_exactly_the_statuses_that_can_occur(document: Document, name: str, statuses: str) -> None:
    assert sorted(operation(document, name)["responses"]) == statuses.split()


def test_every_refusal_is_a_problem_document(document: Document) -> None:
    responses = document["components"]["responses"]
    for each in operations(document):
        for status, answer in each["responses"].items():
            assert ("$ref" in answer) is (int(status) >= 400)
    for response in responses.values():
        [(media, content)] = response["content"].items()
        assert media == "application/problem+json"
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    slugs = {response["content"]["application/problem+json"]["example"]["type"] for response in responses.values()}
    known = {f"urn:roster:problem:{slug}" for _, slug in STATUS.values()} | {"urn:roster:problem:internal"}
    assert slugs <= known


def test_headers_stand_where_they_are_sent(document: Document) -> None:
    def headers(name: str, status: str) -> set[str]:
        return set(operation(document, name)["responses"][status]["headers"])

    assert headers("get_user", "200") == headers("get_user", "304") == {"X-Request-ID", "ETag"}
    assert headers("create_user", "201") == {"X-Request-ID", "ETag", "Location", "Idempotency-Replayed"}
    assert headers("list_users", "200") == {"X-Request-ID", "Link"}
    assert headers("delete_user", "204") == {"X-Request-ID"}
    assert headers("get_version", "200") == {"X-Request-ID"}
    responses = document["components"]["responses"]
    assert set(responses["Unavailable"]["headers"]) == {"X-Request-ID", "Retry-After"}


def test_preconditions_and_keys_stand_where_they_are_read(document: Document) -> None:
    def parameters(name: str) -> set[str]:
        references = (each.get("$ref", "") for each in operation(document, name).get("parameters", []))
        return {reference.rpartition("/")[2] for reference in references if reference}

    assert parameters("get_user") == parameters("get_openapi") == {"IfMatch", "IfNoneMatch"}
    assert parameters("create_user") == {"IdempotencyKey"}
    assert parameters("update_user") == parameters("delete_user") == {"IfMatch"}
    assert parameters("put_department_employee") == {"IfMatch"}
    assert parameters("list_users") == set()


def test_files_are_text_whose_lines_have_a_schema(document: Document) -> None:
    taken = {name: {**media} for name, media in operation(document, "import_users")["requestBody"]["content"].items()}
    lines = [media.pop("x-item-schema") for media in taken.values()]
    assert {line["title"] for line in lines} == {"UserImportLine"}
    assert lines[0]["required"] == ["name", "email"]
    assert taken == {
        "text/csv": {"schema": {"type": "string"}, "example": "name,email\nAnn Lee,ann@example.org\n"},
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "example": '{"name":"Ann Lee","email":"ann@example.org"}\n',
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    given = operation(document, "export_users")["responses"]["200"]["content"]
    assert set(given) == {"text/csv", "application/x-ndjson"}
    assert {media["x-item-schema"]["title"] for media in given.values()} == {"UserExport"}


def test_the_feed_is_a_document_or_a_stream(document: Document) -> None:
    content = operation(document, "follow_events")["responses"]["200"]["content"]
    assert content == {
        "application/json": {"schema": {"$ref": "#/components/schemas/EventFeed"}},
        "text/event-stream": {"schema": {"type": "string"}},
    }


def test_query_parameters_have_their_bounds_and_defaults(document: Document) -> None:
    parameters = {each["name"]: each for each in operation(document, "list_departments")["parameters"]}
    assert list(parameters) == ["limit", "cursor", "sort", "q", "external_id"]
    assert parameters["limit"] == {
        "name": "limit",
        "in": "query",
        "description": "Maximum number of items.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    }
    assert parameters["sort"]["schema"] == {"type": "string", "enum": ["-id", "-name", "id", "name"], "default": "id"}


def test_ids_in_paths_have_the_bounds_of_the_database(document: Document) -> None:
    [id] = document["paths"]["/v1/users/{user_id}"]["parameters"]
    assert id == {
        "name": "user_id",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1, "examples": [1]},
    }


def test_links_lead_from_what_was_made_to_what_can_be_done_with_it(document: Document) -> None:
    made = operation(document, "create_user")["responses"]["201"]["links"]
    assert made == {
        name: {"operationId": name, "parameters": {"user_id": "$response.body#/id"}}
        for name in ("get_user", "update_user", "delete_user")
    }
    put = operation(document, "put_employee_department")["responses"]["201"]["links"]
    assert put["delete_employee_department"]["parameters"] == {
        "employee_id": "$request.path.employee_id",
        "department_id": "$request.path.department_id",
    }


def test_patterns_mean_the_same_in_python_and_in_a_browser(document: Document) -> None:
    # Shorthand classes differ between the two, and so does `$` before a newline at the end.
    patterns = {each["pattern"] for each in nested(document) if isinstance(each.get("pattern"), str)}
    assert len(patterns) > 5
    for pattern in patterns:
        assert not re.search(r"\\[wWsSdDbBAZz]|\(\?P|\(\?<[=!]|[*+?}]\+", pattern)
        assert re.compile(pattern).flags == re.UNICODE


def test_examples_fit_their_schemas(document: Document) -> None:
    schemas = document["components"]["schemas"]
    resolver = {"$defs": schemas}
    checked = 0
    for each in nested(document):
        for example in each.get("examples", []) if isinstance(each.get("examples"), list) else []:
            jsonschema.Draft202012Validator({**each, **resolver}).validate(example)
            checked += 1
    for response in document["components"]["responses"].values():
        jsonschema.Draft202012Validator({**schemas["Problem"], "components": document["components"]}).validate(
            response["content"]["application/problem+json"]["example"]
        )
    assert checked > 20


def test_the_document_names_no_other_address(document: Document) -> None:
    assert "://" not in str(document)


async def test_the_document_is_served_and_known_again(client: httpx.AsyncClient, document: Document) -> None:
    served = await client.get("/openapi.json")
    assert served.status_code == 200
    assert served.headers["content-type"] == "application/json"
    assert served.json() == document
    again = await client.get("/openapi.json", headers={"If-None-Match": served.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_head_and_options_are_served_where_get_is(client: httpx.AsyncClient) -> None:
    head = await client.head("/openapi.json")
    assert (head.status_code, head.content) == (200, b"")
    options = await client.options("/openapi.json")
    assert options.headers["allow"] == "GET, HEAD, OPTIONS"
    refused = await client.post("/openapi.json")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
