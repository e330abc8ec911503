"""The files of the repository, for the tests of the project."""

from dataclasses import fields
from typing import Any

import yaml
from click.testing import CliRunner

from service.settings import PREFIX, Settings
from tests.preloaded import ROOT
from tests.programs import run

__all__ = ["ROOT"]
SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}


def read(path: str) -> str:
    return (ROOT / path).read_text()


def read_yaml(path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(read(path))
    return document


def schema_findings(schema: str, path: str) -> str:
    """What check-jsonschema says against a file, by a schema that it carries; empty when all is well."""
    # Imported where it is used: it imports much.
    from check_jsonschema import main  # type: ignore[import-untyped]  # it has no types

    done = CliRunner().invoke(main, ["--builtin-schema", schema, str(ROOT / path)])
    return done.output if done.exit_code else ""


def roster_refusal(*words: str) -> str:
    """What `roster` says against a command and its options, which are parsed but not run; empty when they exist."""
    done = run("service", *words, "--help", cwd=ROOT)
    return done.stdout + done.stderr if done.returncode else ""
