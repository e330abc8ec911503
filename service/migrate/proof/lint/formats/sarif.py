"""SARIF 2.1.0, which code scanning reads: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service.migrate import naming
from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.formats.sentences import summary
from service.migrate.proof.lint.lint import Result
from service.migrate.proof.lint.rule import RULES, Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def written(result: Result) -> str:
    """One run with every rule and a result for each finding."""
    rules = list(RULES.values())
    places = {each.id: at for at, each in enumerate(rules)}
    driver = {"name": naming.command("lint"), "rules": [_rule(each) for each in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"uri": f"{Path.cwd().as_uri()}/"}},
        "results": [_result(each, places[each.rule]) for each in result.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.effect},
        "help": {"text": f"{rule.effect} Safe: {rule.advice}."},
        "defaultConfiguration": {"level": rule.level.value},
        "properties": {"tags": sorted({rule.family.name.lower(), *rule.databases})},
    }


def _result(each: Finding, place: int) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": _file(each.file), "region": {"startLine": max(each.line, 1)}}
    # Without the line, so that an edit above does not make the finding a new one.
    identity = hashlib.sha256(f"{each.rule} {each.revision} {each.what}".encode()).hexdigest()
    return {
        "ruleId": each.rule,
        "ruleIndex": place,
        "level": each.level.value,
        "message": {"text": summary(each)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"finding/v1": identity},
        "properties": {"revision": each.revision, "database": each.database, "phase": each.phase},
    }


def _file(file: str) -> dict[str, str]:
    path = Path(file)
    return {"uri": path.as_uri()} if path.is_absolute() else {"uri": quote(path.as_posix()), "uriBaseId": "SRCROOT"}
