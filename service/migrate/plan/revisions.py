"""The revisions of the project, and the applied ones among them."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from service.migrate.plan import graph
from service.migrate.plan.plan import Plan, is_plain, plan

_DATED = re.compile(r"(\d{4})_(\d\d)_(\d\d)_")
# As Alembic's own template writes it into the docstring.
_CREATED = re.compile(r"^Create Date: (\d{4})-(\d\d)-(\d\d)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision in the history; `applied` is `None` without a database.

    `phases` are those that the file defines (upgrade, backfill, contract); a file that imports `op` has upgrade alone.
    """

    id: str
    title: str
    date: str
    file: str
    phases: tuple[str, ...]
    applied: bool | None


def history(directory: ScriptDirectory, applied: Collection[str] | None) -> list[Revision]:
    """Every revision, newest first; `applied` are the applied revisions of a database, `None` without a database."""
    return [
        _revision(script, None if applied is None else script.revision in applied)
        for script in directory.walk_revisions()
    ]


def below(heads: Iterable[str], directory: ScriptDirectory) -> list[Script]:
    """The scripts of the revisions that are applied in a database at these heads, oldest first."""
    return graph.oldest_first(directory, graph.with_ancestors(directory, heads))


def plans(revisions: Collection[Script], dialect: str) -> list[Plan]:
    """The plans of these revisions, without those that import Alembic's `op`."""
    return [found for script in revisions if (found := plan(script, dialect)) is not None]


def _revision(script: Script, applied: bool | None) -> Revision:  # noqa: FBT001 - a fact, not a switch
    file = Path(script.path).name
    dated = _DATED.match(file) or _CREATED.search(script.module.__doc__ or "")
    date = "-".join(dated.groups()) if dated else ""
    return Revision(id=script.revision, title=script.doc, date=date, file=file, phases=_phases(script), applied=applied)


def _phases(script: Script) -> tuple[str, ...]:
    if is_plain(script.module):
        return ("upgrade",)
    declared = ("backfill", "contract")
    return ("upgrade", *(name for name in declared if hasattr(script.module, name)))
