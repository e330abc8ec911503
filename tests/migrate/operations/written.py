"""The plan of a revision as lines of text, without a server."""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, event

from service.migrate.dialects import predicates
from service.migrate.dialects.sqlite.edit import edit
from service.migrate.operations.definitions import Same
from service.migrate.operations.step import Action, Backfill, Precondition, Step
from service.migrate.plan.config import scripts
from service.migrate.plan.plan import Plan, plan
from tests.migrate.project import Project

DIALECTS = ("postgresql", "sqlite")
# What the change is made to.
TABLE = """
CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, c TEXT, CONSTRAINT ck CHECK (b > 0))
""".strip()
_WIDTH = 104
# Statements of a rebuild, which the text shows as the resulting definition.
_BESIDE = re.compile(r"UPDATE |ALTER TABLE \S+ ADD ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The source of a revision, and its plan on either database."""

    up: str = "pass"
    contract: str | None = None
    backfill: str | None = None
    down: str = "ops.undo()"
    tables: tuple[str, ...] = (TABLE,)
    postgresql: str
    sqlite: str

    @property
    def parts(self) -> dict[str, str]:
        parts = {"up": self.up, "contract": self.contract, "backfill": self.backfill, "down": self.down}
        return {name: text(part) for name, part in parts.items() if part is not None}

    def planned(self, project: Project, dialect: str) -> Plan:
        return planned(project, dialect, **self.parts)

    def written(self, project: Project, dialect: str) -> str:
        return written(project, dialect, tables=self.tables, **self.parts)

    def expected(self, dialect: str) -> str:
        return text(self.sqlite if dialect == "sqlite" else self.postgresql)


def planned(project: Project, dialect: str, up: str = "pass", **parts: str) -> Plan:
    """The plan of a revision 0002 that says this."""
    project.clear()
    project.add_safe("0002_change", after=None, up=textwrap.dedent(up), **parts)
    script = scripts().get_revision("0002_change")
    assert script is not None
    found = plan(script, dialect)
    assert found is not None
    return found


def written(
    project: Project, dialect: str, up: str = "pass", *, tables: tuple[str, ...] = (TABLE,), **parts: str
) -> str:
    """Every phase of a revision 0002: its preconditions (?), its steps (-), and the undo of each (<).

    A step is shown as title, lock and statements; what was shown before is shortened. On SQLite the steps run in
    memory, and a change of a table is shown as the resulting definition (=).
    """
    found = planned(project, dialect, up, **parts)
    phases: dict[str, tuple[tuple[Precondition, ...], tuple[Action, ...]]] = {
        "expand": (found.checks, found.expand),
        "backfill": ((), found.backfills),
        "settle": ((), found.settle),
        "contract": (found.contract_checks, found.contract),
        "purge": ((), found.purge),
        "undo contract": (found.contract_undo_checks, ()),
        "undo": ((*found.undo_checks, *found.downgrade_checks), found.downgrade or ()),
    }
    with _memory(tables) as memory:
        page = _Page(connection=memory if dialect == "sqlite" else None)
        for name, (checks, actions) in phases.items():
            page.write(name, checks, actions)
    return "\n".join(page.lines)


def text(expected: str) -> str:
    return textwrap.dedent(expected).strip()


@contextmanager
def _memory(tables: tuple[str, ...]) -> Iterator[Connection]:
    engine = create_engine("sqlite://", connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        for statement in tables:
            connection.exec_driver_sql(statement)
        yield connection
    engine.dispose()


@dataclass(slots=True, kw_only=True)
class _Page:
    """The lines so far; with a connection, to SQLite, steps are done as they are written."""

    connection: Connection | None
    lines: list[str] = field(default_factory=list)
    _shown: set[str] = field(default_factory=set, init=False)

    def write(self, name: str, checks: tuple[Precondition, ...], actions: tuple[Action, ...]) -> None:
        # Every index and constraint has one, which a test of its own is about.
        checks = tuple(check for check in checks if not isinstance(check, Same))
        if checks or actions:
            self.lines.append(f"{name}:")
        for check in checks:
            self.lines.append(f"? {check.why}")
            if isinstance(check.rows, str):
                self._add(check.rows)
        for action in actions:
            self._action(action, "-")
            trial = self.connection.begin_nested() if self.connection is not None else None
            for undo in action.undo if isinstance(action, Step) else ():
                self._action(undo, "  <")
            if trial is not None:
                trial.rollback()

    def _action(self, action: Action, mark: str) -> None:
        if isinstance(action, Backfill):
            self.lines.append(f"{mark} {action.title} along {', '.join(action.key)}")
            self._add(f"where {action.left}")
            self._add(_filled(action, "postgresql" if self.connection is None else "sqlite"))
            return
        is_done = action.done is not None and self.connection is not None and self._asked(self.connection, action.done)
        where = f" on {', '.join(action.tables)}" if action.tables else ""
        alone = ", alone" if action.alone else ""
        sometimes = "" if action.scripted else ", if need be"
        nothing = ": there is nothing to do" if is_done else ""
        self.lines.append(f"{mark} {action.title} ({action.lock}{where}{alone}{sometimes}){nothing}")
        if self.connection is None:
            for statement in action.statements:
                # Blocks are shown in a test of their own.
                self._add(re.sub(r"(?s)^(DO \$\w+\$).*", r"\1 …", statement))
        elif not is_done:
            self._do(action, self.connection)

    def _do(self, step: Step, connection: Connection) -> None:
        if step.edit is not None:
            edit(connection, [step.edit])
            self._define(connection, step.edit.table)
        if step.generate is not None:
            with _heard(connection) as beside:
                made = step.generate(connection)
            for statement in beside:
                self._add(statement)
            for statement in made:
                self._add(statement)
                connection.exec_driver_sql(statement)
            for table in () if step.title.startswith(("MOVE ", "RESTORE ")) else step.tables:
                self._define(connection, table)
        for statement in step.statements:
            self._add(statement)
            connection.exec_driver_sql(statement)

    def _define(self, connection: Connection, table: str) -> None:
        asked = "SELECT sql FROM sqlite_schema WHERE name = ?"
        for definition in connection.exec_driver_sql(asked, (table,)).scalars():
            self._add(f"= {definition}")

    def _add(self, statement: str) -> None:
        line = " ".join(statement.split())
        if line in self._shown and not line.startswith("= "):
            line = textwrap.shorten(line, _WIDTH, placeholder=" …")
        self._shown.add(line)
        lines = textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        self.lines += [f"    {'' if each is lines[0] else '  '}{each}" for each in lines]

    def _asked(self, connection: Connection, question: str) -> bool:
        return predicates.ask(connection, question)


@contextmanager
def _heard(connection: Connection) -> Iterator[list[str]]:
    """The statements that are executed inside the block, without those of a rebuild."""
    found: list[str] = []

    def hear(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if _BESIDE.match(statement):
            found.append(statement)

    event.listen(connection, "before_cursor_execute", hear)
    yield found
    event.remove(connection, "before_cursor_execute", hear)


def _filled(fill: Backfill, dialect: str) -> str:
    if fill.by is not None:
        return f"read {', '.join(fill.read)} and write {', '.join(fill.write)} by a function"
    if fill.statement is not None:
        return fill.statement if isinstance(fill.statement, str) else fill.statement[dialect]
    return "set " + ", ".join(f"{name} = {value}" for name, value in (fill.assign or {}).items())
