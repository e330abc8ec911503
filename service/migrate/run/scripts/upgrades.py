"""The script of an upgrade: Alembic lists the revisions, and each becomes a sequence of checked steps and its stamp."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.migrate import naming
from service.migrate.dialects.ddl import literal
from service.migrate.errors import Refused
from service.migrate.plan.checksum import checksum
from service.migrate.plan.plan import Phase, Plan, plan
from service.migrate.run.scripts.checks import State, preconditions, tables_of
from service.migrate.run.scripts.steps import steps
from service.migrate.run.scripts.strangers import no_strangers
from service.migrate.run.scripts.text import array, block, call, comment, executed
from service.migrate.run.scripts.whole import script
from service.migrate.run.unfinished import refuse_renames_among

# What a plain revision's autocommit_block() and CONCURRENTLY come to: no part of a transaction.
_OUTSIDE = re.compile(
    r"^\s*(?:COMMIT|BEGIN|VACUUM|(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY)\b", re.IGNORECASE | re.MULTILINE
)


@dataclass(slots=True)
class _Written:
    """A revision of the script: its plan or its plain SQL, the statements of its stamp, and the heads around it."""

    script: Any
    plan: Plan | None
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    body: str = ""
    version: str = ""


@dataclass(slots=True)
class UpgradeWriter:
    """Alembic's list of revisions and its callback after each stamp, which collect what the script says."""

    find: Callable[..., Iterable[Any]]
    output: StringIO
    directory: ScriptDirectory
    _revisions: list[_Written] = field(default_factory=list)
    _mark: int = 0

    def __post_init__(self) -> None:
        if self.find.__name__ == "downgrade":
            raise no_downgrade()
        if self.find.__name__ != "upgrade":
            raise Refused(
                f"This command has no script: run it on the database. {naming.command('upgrade --sql')} has one."
            )

    def __call__(self, heads: tuple[str, ...], migration: MigrationContext) -> Iterator[Any]:
        if migration.dialect.name != "postgresql":
            raise not_on_sqlite()
        before = tuple(sorted(heads))
        for step in self.find(heads, migration):
            found = _Written(step.revision, plan(step.revision, "postgresql"), before)
            step.migration_fn = self._capture(found, step.migration_fn)
            self._revisions.append(found)
            yield step
            before = found.after

    def _capture(self, found: _Written, function: Callable[..., None]) -> Callable[..., None]:
        def write(**arguments: Any) -> None:
            start = self.output.tell()
            if found.plan is None:
                function(**arguments)
                found.body = self.output.getvalue()[start:]
            self._mark = self.output.tell()

        return write

    def stamped(self, *, heads: Collection[Any], **_: object) -> None:
        """Alembic calls it after each stamp, with the heads of the database then."""
        found = self._revisions[-1]
        found.after = tuple(sorted(heads))
        found.version = self.output.getvalue()[self._mark :]

    def text(self) -> str:
        """The script; raises Refused if there is no revision to apply."""
        if not self._revisions:
            raise Refused("There is no revision to write: FROM:TO begins with the older revision.")
        first, last = self._revisions[0], self._revisions[-1]
        refuse_renames_among([], [each.plan for each in self._revisions if each.plan])
        # The first statement has the checks of the first revision: where they raise, nothing was begun.
        parts = [part for each in self._revisions for part in _revision(each, () if each is first else _checks(each))]
        is_there = f"pg_temp.migrator_heads() = {array(last.after)}"
        creates = [name for each in self._revisions if each.plan for name in each.plan.creates]
        state = State(
            id="",
            verb="upgrade",
            creates_ledger=True,
            revisions=[each.script.revision for each in self._revisions],
            creates=list(dict.fromkeys(creates)),
            finished=is_there,
            state=_conditions(first, self._revisions),
            checks=[*self._no_strangers(), *_checks(first)],
        )
        what = f"upgrade {' and '.join(first.before) or 'base'} to {' and '.join(last.after)}"
        return script(what, state, parts, is_there)

    def _no_strangers(self) -> Iterator[str]:
        tables = {table for each in self._revisions if each.plan for table in tables_of(each.plan)}
        return no_strangers(self.directory, tables, naming.command("upgrade"))


def _conditions(first: _Written, revisions: list[_Written]) -> list[tuple[str, str]]:
    begin = " and ".join(first.before) or "no revision"
    begun = f"SELECT FROM migration_steps WHERE revision = ANY ({array(each.script.revision for each in revisions)})"
    return [
        (
            f"pg_temp.migrator_heads() = {array(first.before)}",
            f"This script is for a database at {begin}, and this one is not: compare {naming.command('current')}.",
        ),
        (
            f"NOT EXISTS ({begun})",
            f"An upgrade of one of these revisions is incomplete: run {naming.command('upgrade')} on the database.",
        ),
    ]


def _checks(found: _Written) -> list[str]:
    return list(preconditions(found.plan, found.plan.needs, found.plan.checks)) if found.plan else []


def _revision(found: _Written, checks: Collection[str]) -> Iterator[str]:
    revision, before = found.script.revision, array(found.before)
    digest = checksum(found.script)
    enter = f"pg_temp.migrator_enter({literal(revision)}, {before})"
    yield comment(f"{revision}: {found.script.doc}")
    if found.plan is None:
        yield block(f"PERFORM {enter};", *_stamp(revision, 0, digest, _inside(revision, found.body), found.version))
        return
    yield block(f"IF {enter} THEN", *(f"  {line}" for line in checks or ["NULL;"]), "END IF;")
    yield from steps(revision, Phase.EXPAND, found.plan.expand)
    yield block(*_stamp(revision, len(found.plan.expand), digest, "", found.version))


def _stamp(revision: str, expected: int, digest: str, body: str, version: str) -> list[str]:
    statements = [f"  {executed(each)}" for each in (body, version) if each.strip()]
    return [f"IF {call('stamp', revision, expected, digest)} THEN", *statements, "END IF;"]


def _inside(revision: str, body: str) -> str:
    if _OUTSIDE.search(body):
        raise Refused(
            f"{revision} has statements outside of a transaction, which no script in Alembic's plain style checks. "
            f"Run {naming.command('upgrade')} on the database, or write the revision with service.migrate.ops."
        )
    return body


def no_downgrade() -> Refused:
    return Refused(
        "A downgrade has no script: its steps depend on what was contracted, purged and written in the database. "
        f"Run {naming.command('downgrade REVISION')} on the database."
    )


def not_on_sqlite() -> Refused:
    return Refused(
        "A script cannot alter a table on SQLite: SQL alone can neither check the file nor rebuild its tables. "
        "Pass a PostgreSQL URL, or run the migration on the SQLite file."
    )
