import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import jsonschema
import pytest

from service.migrate.proof.finding import Finding, Level
from service.migrate.proof.lint.formats.formats import FORMATS
from service.migrate.proof.lint.lint import Result, listed
from tests.migrate.project import Project
from tests.migrate.proof.lint.conftest import run

ODD = Finding(
    rule="index-blocks-writes",
    level=Level.ERROR,
    revision="0002_it",
    file="alembic/a folder: 100%, näm<e>.py",
    line=0,
    database="postgresql",
    phase="upgrade",
    what="100 % of <a> & 'b'\r\nsecond\x00 line, with: all",
    effect="Everyone waits.",
    advice="Do not",
)
# What the schema of SARIF 2.1.0 requires of the objects that are written, with its limits.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
LOCATION = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "anyOf": [{"required": ["address"]}, {"required": ["artifactLocation"]}],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {
                        "uri": {"type": "string", "pattern": "^[A-Za-z0-9._~:/?#@!$&()*+,;=%'-]+$"},
                        "uriBaseId": {"type": "string"},
                    },
                    "additionalProperties": False,
                },
                "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}},
            },
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": {"type": "array", "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
    },
    "additionalProperties": False,
}
RULE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "shortDescription": TEXT,
        "help": TEXT,
        "defaultConfiguration": {
            "type": "object",
            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
        },
        "properties": {
            "type": "object",
            "properties": {"tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}}},
        },
    },
    "additionalProperties": False,
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "rules": {"type": "array", "uniqueItems": True, "items": RULE}},
    "additionalProperties": False,
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "originalUriBaseIds": {"type": "object"},
                    "results": {"type": "array", "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def written(format: str, *findings: Finding) -> str:
    return FORMATS[format](Result(revisions=(), findings=findings, suppressed=0))


def test_sarif_is_valid() -> None:
    document: Any = json.loads(written("sarif", ODD))
    jsonschema.validate(document, SARIF)
    (single,) = document["runs"]
    assert [each["id"] for each in single["tool"]["driver"]["rules"]] == sorted(
        {each.id for each in listed()}, key=[each["id"] for each in single["tool"]["driver"]["rules"]].index
    )
    (result,) = single["results"]
    assert single["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == ODD.rule
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {
        "uri": "alembic/a%20folder%3A%20100%25%2C%20n%C3%A4m%3Ce%3E.py",
        "uriBaseId": "SRCROOT",
    }
    assert place["region"] == {"startLine": 1}


def test_an_annotation_of_github_is_one_line() -> None:
    (line,) = written("github", ODD).splitlines()
    head, _, message = line.removeprefix("::").partition("::")
    assert head == ("error file=alembic/a folder%3A 100%25%2C näm<e>.py,line=1,title=index-blocks-writes")
    assert message.startswith("100 %25 of <a> & 'b'%0D%0Asecond\x00 line, with: all%0AEveryone waits.")


def test_junit_has_a_case_for_each_revision(project: Project) -> None:
    project.add("0002_it", after="0001_base", up="op.execute('UPDATE books SET kind = NULL -- <&>')")
    root = ET.fromstring(run("--format", "junit", status=1).stdout)  # noqa: S314 - what the command itself wrote
    project.remove("0002_it")
    (suite,) = root
    assert (root.get("tests"), suite.get("failures")) == ("2", "1")
    bare, failed = suite
    assert (bare.get("name"), len(bare)) == ("0001_base", 0)
    (failure,) = failed
    assert failure.get("type") == "changes-many-rows"
    assert "error[no-downgrade]" in (failure.text or "")


def test_junit_has_no_character_that_xml_forbids() -> None:
    from service.migrate.proof.lint.formats import junit

    assert junit._text(ODD.what) == "100 % of <a> & 'b'\r\nsecond\ufffd line, with: all"


def test_text_has_the_place_the_effect_and_the_safe_way() -> None:
    first, *rest, last = written("text", ODD).splitlines()
    assert first.startswith("alembic/a folder: 100%, näm<e>.py:0: error[index-blocks-writes] on postgresql: 100 % of")
    assert rest[-2:] == ["    Everyone waits.", "    Safe: Do not."]
    assert last == "0 revisions, 1 finding: 1 error, 0 warnings."


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_something_to_say_of_nothing(format: str) -> None:
    assert re.fullmatch(r"(?s).*", written(format))
