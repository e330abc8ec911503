"""The result of a run as text, JSON, GitHub annotations, or in a format that CI systems read."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from service.db.counting import counted
from service.migrate.proof.finding import Finding, Level
from service.migrate.proof.lint.formats import junit, sarif
from service.migrate.proof.lint.formats.sentences import sentence
from service.migrate.proof.lint.lint import Result


def text(result: Result) -> str:
    """Each finding with its place, what users would feel and the safe way, then their number."""
    blocks = [_block(each) for each in result.findings]
    errors = sum(each.level is Level.ERROR for each in result.findings)
    kinds = f": {counted(errors, 'error')}, {counted(len(result.findings) - errors, 'warning')}"
    last = f"{counted(len(result.revisions), 'revision')}, {counted(len(result.findings), 'finding')}"
    suppressed = f" ({result.suppressed} suppressed)" if result.suppressed else ""
    return "\n".join([*blocks, f"{last}{kinds if result.findings else ''}{suppressed}."])


def _block(each: Finding) -> str:
    on = f" on {each.database}" if each.database else ""
    lines = [f"{each.file}:{each.line}: {each.level}[{each.rule}]{on}: {each.what}"]
    lines += [f"    {sentence(each.effect)}"] if each.effect else []
    lines += [f"    Safe: {sentence(each.advice)}"] if each.advice else []
    return "\n".join(lines)


def document(result: Result) -> dict[str, Any]:
    """The findings as plain values."""
    return {
        "revisions": [each.id for each in result.revisions],
        "findings": [asdict(each) for each in result.findings],
        "suppressed": result.suppressed,
    }


def as_json(result: Result) -> str:
    return json.dumps(document(result), indent=2)


def github(result: Result) -> str:
    """Workflow commands, which GitHub shows beside the line of a pull request."""
    return "\n".join(_command(each) for each in result.findings)


def _command(each: Finding) -> str:
    """https://docs.github.com/actions/reference/workflow-commands: values and properties have escapes of their own."""
    properties = {"file": each.file, "line": str(max(each.line, 1)), "title": each.rule}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = f"{each.what}\n{sentence(each.effect)}\nSafe: {sentence(each.advice)}"
    return f"::{each.level} {written}::{_message(message)}"


def _message(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _message(value).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Result], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif.written,
    "junit": junit.written,
    "github": github,
}
