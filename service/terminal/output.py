"""The result of a command: sentences for a person or, with --json, one document for a program."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Prints to standard output in the format that --json selects."""

    as_json: bool = False

    def write(self, document: Any, lines: Iterable[str]) -> None:
        """Print the document with --json, else the lines."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2, default=str))
            return
        for line in lines:
            click.echo(line)

    def script(self, sql: str) -> None:
        """Print a script as it is; with --json as the field `sql` of a document."""
        if self.as_json:
            self.write({"sql": sql}, [])
        else:
            click.echo(sql, nl=False)
