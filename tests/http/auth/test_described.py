from typing import Any

import pytest

from service.app import create_app
from service.http.openapi import describe_api
from service.settings import Settings

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    return describe_api(create_app(Settings()).litestar)


def operations(document: Document) -> dict[str, Document]:
    methods = (each for path in document["paths"].values() for name, each in path.items() if name != "parameters")
    return {each["operationId"]: each for each in methods}


def test_an_operation_names_its_permission(document: Document) -> None:
    described = operations(document)
    assert described["create_user"]["security"] == [{"bearer": ["users.write"]}, {"cookie": ["users.write"]}]
    assert described["create_user"]["description"].endswith("Needs a token with the permission `users.write`.")
    assert described["get_liveness"]["security"] == []


def test_any_valid_token_is_the_rule_of_the_document(document: Document) -> None:
    version = operations(document)["get_version"]
    assert "security" not in version
    assert version["responses"].keys() >= {"200", "401"}
    assert "403" not in version["responses"]
    assert document["security"] == [{"bearer": []}, {"cookie": []}]
    assert document["components"]["securitySchemes"].keys() == {"bearer", "cookie"}


def test_refusals_of_tokens_carry_a_challenge(document: Document) -> None:
    responses = document["components"]["responses"]
    for name in ("Unauthenticated", "Forbidden"):
        assert set(responses[name]["headers"]) == {"X-Request-ID", "WWW-Authenticate"}
