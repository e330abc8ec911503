"""Fixes of plain revisions: rewritten, compared with what they did, and written to their files."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from alembic.script import Script

from service.migrate.errors import Refused, Unusable
from service.migrate.operations.step import Target
from service.migrate.plan import config as configuration
from service.migrate.plan.config import Source, scripts
from service.migrate.plan.plan import plan
from service.migrate.proof import revisions
from service.migrate.proof.lint import operations
from service.migrate.proof.lint.calls import Call, Stop
from service.migrate.proof.lint.fix import dependents
from service.migrate.proof.lint.fix.rewriting import Refusal, Rewriter
from service.migrate.proof.lint.lint import Asked, Result, lint
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.sql import differences, statements
from service.migrate.proof.lint.sql.apply import apply
from service.migrate.proof.lint.sql.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Fix:
    """A plain revision: its new source, or why it stays as it is."""

    revision: Revision
    source: str
    refusals: tuple[Refusal, ...]

    @property
    def is_exact(self) -> bool:
        return not self.refusals

    def diff(self) -> str:
        """The change as a unified diff; empty if the revision stays as it is."""
        if not self.is_exact:
            return ""
        old, new = self.revision.source.splitlines(keepends=True), self.source.splitlines(keepends=True)
        return "".join(difflib.unified_diff(old, new, f"a/{self.revision.file}", f"b/{self.revision.file}"))

    def write(self) -> None:
        """Write the new source, if there is one."""
        if self.is_exact:
            path = self.revision.path
            try:
                newline = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
                path.write_text(self.source, encoding="utf-8", newline=newline)
            except OSError as failure:
                raise Unusable(f"{self.revision.file} cannot be written: {failure.strerror}.") from failure
            configuration.forget()


def fixes(asked: Asked, config: Source | None = None) -> Iterator[Fix]:
    """The fixes of the plain revisions; raises as `lint` does.

    Without `since` the base is the commit that is checked out, if there is one: a revision that some database may have
    run must stay as it is.
    """
    since = asked.since or revisions.checked_out(scripts(config))
    found: Result = lint(replace(asked, since=since), config)
    for revision in found.revisions:
        if revision.is_plain:
            yield _fix(revision, found.schemas[revision.id], asked.databases)


def _fix(revision: Revision, before: Schema, databases: Sequence[str]) -> Fix:
    rewriter = Rewriter(revision.source, before)
    source = rewriter.result()
    refusals = rewriter.refusals
    if not refusals:
        refusals = list(_differences(revision, source, before, databases))
    return Fix(revision=revision, source=source, refusals=tuple(refusals))


def _differences(revision: Revision, source: str, before: Schema, databases: Sequence[str]) -> Iterator[Refusal]:
    """Why the new source does not come to the same schema."""
    module: Any = ModuleType("revision")
    exec(compile(source, str(revision.path), "exec"), vars(module))  # noqa: S102 - as Alembic loads the file
    try:
        for database in databases:
            plan(Script(module, revision.id, str(revision.path)), database)
    except Refused as refused:
        stop = Stop.of(refused, "upgrade")
        yield Refusal(_line(revision, source, stop), f"the safe operations are refused: {stop.reason}")
        return
    calls: list[Call] = []
    for name in ("upgrade", "contract"):
        if hasattr(module, name):
            target = Target(dialect="postgresql", revision=revision.id)
            found, stopped, _ = operations.calls_of(getattr(module, name), str(revision.path), name, target)
            if stopped is not None:
                yield Refusal(_line(revision, source, stopped), f"the safe operations are refused: {stopped.reason}")
                return
            calls += found
    yield from (Refusal(_line(revision), each) for each in dependents.left(before, calls))
    was = _after(before, [each for each in revision.calls if each.phase == "upgrade"])
    now = _after(before, sorted(calls, key=lambda each: each.phase == "contract"))
    for each in _other(was, now):
        yield Refusal(
            _line(revision), f"the safe operations come to another schema: {each}{_why(each, revision.source)}"
        )


def _other(was: Schema, now: Schema) -> Iterator[str]:
    for table in sorted({*was.tables, *now.tables}):
        if table in was.tables and table in now.tables:
            yield from differences.of_tables(was.tables[table], now.tables[table], table)
        else:
            yield f"the table {table} is {'missing' if table in was.tables else 'there'}"


def _line(revision: Revision, source: str = "", stop: Stop | None = None) -> int:
    """The line of the directive in the file that a line of the new source comes from, else the first directive's."""
    written = source.splitlines()[stop.line - 1].strip() if stop is not None and stop.line else ""
    was = written.replace("ops.", "op.", 1)
    found = (at for at, line in enumerate(revision.source.splitlines(), start=1) if was and line.strip() == was)
    return next(found, next((each.line for each in revision.calls if each.phase == "upgrade"), 1))


def _why(what: str, source: str) -> str:
    """A hint, if a constraint would be missing that Alembic names by the naming convention."""
    found = re.fullmatch(r"the constraint \S+\.(\w+) is missing", what)
    is_named = found is not None and found[1] not in source
    return f". ops takes a name as it is written: name it op.f('{found[1]}')" if found and is_named else ""


def _after(before: Schema, calls: Sequence[Call]) -> Schema:
    schema = before.copy()
    for call in calls:
        if call.database == "postgresql":
            for change in call.changes or statements.changes(call.text):
                apply(schema, change)
    return schema
