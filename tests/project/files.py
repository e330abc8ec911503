"""The files of the repository, for the tests of the project."""

import subprocess
import sys
from dataclasses import fields
from typing import Any

import yaml

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
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def roster_refusal(*words: str) -> str:
    """What `roster` says against a command and its options, which are parsed but not run; empty when they exist."""
    done = run("service", *words, "--help", cwd=ROOT)
    return done.stdout + done.stderr if done.returncode else ""
