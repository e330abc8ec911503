"""One line of a forecast: an action, or a statement of a revision in Alembic's plain style."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One action: `mode` is the strongest lock of its transaction on the tables, empty for none that matters.

    A statement of a plain revision has all its `locks`, such as `SHARE on books`. `blocks` says which requests wait
    for the lock. `rows` are those to fill, counted or (not `is_exact`) estimated. `stall_seconds` is how long SQLite's
    writers wait.
    """

    revision: str
    phase: str
    title: str
    statements: tuple[str, ...] = ()
    mode: str = ""
    tables: tuple[str, ...] = ()
    blocks: str = ""
    rows: int | None = None
    is_exact: bool = True
    seconds: float | None = None
    stall_seconds: float = 0.0
    locks: tuple[str, ...] = ()
