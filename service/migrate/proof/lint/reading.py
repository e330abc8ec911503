"""A revision as the linter reads it: its file, its calls in each phase and on each database, its operations."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic.script import Script
from sqlalchemy import MetaData

from service.migrate.errors import Refused
from service.migrate.operations.base import Operation
from service.migrate.operations.step import Target
from service.migrate.plan.faults import shown
from service.migrate.plan.plan import is_plain, plan
from service.migrate.proof.lint import operations, recording
from service.migrate.proof.lint.calls import Call, Stop
from service.migrate.proof.lint.sql import statements

FUNCTIONS = (operations.UPGRADE, operations.CONTRACT, operations.DOWNGRADE)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A revision; `refusal` says why the migrator would not run its operations."""

    id: str
    path: Path
    parents: tuple[str, ...]
    is_plain: bool
    calls: tuple[Call, ...]
    stops: tuple[Stop, ...]
    operations: tuple[Operation, ...]
    refusal: str = ""

    @property
    def file(self) -> str:
        return shown(self.path)

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    def function(self, name: str) -> ast.FunctionDef | None:
        """The definition of a function of the file."""
        found = (each for each in self.tree.body if isinstance(each, ast.FunctionDef) and each.name == name)
        return next(found, None)

    def line_of(self, name: str) -> int:
        """The line of a function of the file, or of its docstring's line."""
        function = self.function(name)
        return function.lineno if function else 1

    def in_phase(self, phase: str, database: str) -> list[Call]:
        return [each for each in self.calls if each.phase == phase and each.database == database]


def read(
    script: Script, parents: tuple[str, ...], metadata: MetaData, databases: Sequence[str], *, is_judged: bool = True
) -> Revision:
    """Run the revision's functions without a database; one that is not judged only tells what it makes."""
    module: Any = script.module
    plain = is_plain(module)
    calls: list[Call] = []
    stops: list[Stop] = []
    called: list[Operation] = []
    # PostgreSQL is read always, since most rules are about it.
    for database in dict.fromkeys(("postgresql", *databases)):
        for name in FUNCTIONS:
            if not hasattr(module, name):
                continue
            function = getattr(module, name)
            if plain:
                found, stop = recording.recorded(function, script.path, name, database, metadata)
            else:
                target = Target(dialect=database, revision=script.revision)
                found, stop, noted = operations.calls_of(function, script.path, name, target)
                called += noted if database == "postgresql" else []
            calls += (_with_changes(each) for each in found)
            stops += [stop] if stop and database == "postgresql" else []
    return Revision(
        id=script.revision,
        path=Path(script.path),
        parents=parents,
        is_plain=plain,
        calls=tuple(calls),
        stops=tuple(stops),
        operations=tuple(called),
        refusal="" if plain or stops or not is_judged else _refusal(script, databases),
    )


def _with_changes(call: Call) -> Call:
    return call.with_changes(tuple(statements.changes(call.text)))


def _refusal(script: Script, databases: Sequence[str]) -> str:
    """Why the planner refuses the operations of the revision; empty if it does not."""
    try:
        for database in databases:
            plan(script, database)
    except Refused as refused:
        return str(refused)
    return ""
