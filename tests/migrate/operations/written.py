"""What a revision comes to, as lines of text, with no server at hand."""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, event

from service.migrate.config import scripts
from service.migrate.phases import Plan, plan
from service.migrate.sqlite.edits import edit
from service.migrate.steps import Fill, Move, Step
from tests.migrate.project import Project

# What the change is made to.
TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER DEFAULT 1, CONSTRAINT ck CHECK (b > 0))"
_WIDTH = 108


def planned(project: Project, dialect: str, up: str = "pass", **parts: str) -> Plan:
    """The plan of a revision 0002 that says this."""
    project.clear()
    project.add_safe("0002_change", after=None, up=textwrap.dedent(up), **parts)
    script = scripts().get_revision("0002_change")
    assert script is not None
    found = plan(script, dialect)
    assert found is not None
    return found


def written(project: Project, dialect: str, up: str = "pass", *, tables: str = TABLE, **parts: str) -> str:
    """Every step of a revision 0002: its title and lock, its statements, and what takes it back, in that order.

    On SQLite the steps are done, in memory: a change of a table is shown by the definition that it leaves.
    """
    found = planned(project, dialect, up, **parts)
    lines: list[str] = []
    phases: dict[str, tuple[Move, ...]] = {
        "expand": found.expand,
        "backfill": found.fills,
        "settle": found.settle,
        "contract": found.contract,
        "purge": found.purge,
        "downgrade": found.downgrade or (),
    }
    with _memory(tables) as memory:
        connection = memory if dialect == "sqlite" else None
        for name, moves in phases.items():
            if moves:
                lines += [f"{name}:", *(line for move in moves for line in _with_undo(move, connection))]
    return "\n".join(lines)


def text(expected: str) -> str:
    return textwrap.dedent(expected).strip("\n")


@contextmanager
def _memory(tables: str) -> Iterator[Connection]:
    engine = create_engine("sqlite://", connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        for statement in tables.split(";"):
            connection.exec_driver_sql(statement)
        yield connection
    engine.dispose()


def _with_undo(move: Move, connection: Connection | None) -> Iterator[str]:
    yield from _lines(move, connection, "-")
    trial = connection.begin_nested() if connection is not None else None
    for undo in move.undo if isinstance(move, Step) else ():
        yield from _lines(undo, connection, "  <")
    if trial is not None:
        trial.rollback()


def _lines(move: Move, connection: Connection | None, mark: str) -> Iterator[str]:
    if isinstance(move, Fill):
        yield f"{mark} {move.title} along {', '.join(move.key)}"
        yield from _wrapped(f"where {move.left}")
        yield from _wrapped("set " + ", ".join(f"{name} = {value}" for name, value in (move.assign or {}).items()))
        return
    where = f" on {', '.join(move.tables)}" if move.tables else ""
    alone = ", alone" if move.alone else ""
    is_done = connection is not None and move.done is not None and connection.exec_driver_sql(move.done).scalar()
    done = ": there is nothing to do" if is_done else ""
    yield f"{mark} {move.title} ({move.lock}{where}{alone}){done}"
    if connection is None:
        for statement in move.statements:
            # Blocks are shown in a test of their own.
            yield from _wrapped(re.sub(r"(?s)^(DO \$\w+\$).*", r"\1 …", statement))
    elif not is_done:
        yield from _do(move, connection)


def _do(step: Step, connection: Connection) -> Iterator[str]:
    if step.edit is not None:
        edit(connection, [step.edit])
    for statement in (*(step.made(connection) if step.made else ()), *step.statements):
        yield from _wrapped(statement)
        connection.exec_driver_sql(statement)
    if step.edit is not None or step.made is not None:
        asked = "SELECT sql FROM sqlite_schema WHERE name = ?"
        for table in step.tables:
            for definition in connection.exec_driver_sql(asked, (table,)).scalars():
                yield from _wrapped(f"= {definition}")


def _wrapped(statement: str) -> list[str]:
    lines = textwrap.wrap(" ".join(statement.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"    {'' if line is lines[0] else '  '}{line}" for line in lines]
