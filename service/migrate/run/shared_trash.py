"""Refusal of a revision whose columns or tables would have the names of another revision's in the trash."""

import re
from collections.abc import Iterable, Iterator

from alembic.script import Script, ScriptDirectory

from service.migrate.dialects import ddl
from service.migrate.errors import Refused
from service.migrate.plan.plan import Plan, plan
from service.migrate.state import trash

_MOVED = re.compile(r"(?:MOVE|RESTORE) (?:COLUMN|TABLE) (.+) (?:TO|FROM) TRASH")
_DROPPED = re.compile(rf"DROP (?:COLUMN (.+)\.|TABLE )({re.escape(ddl.TRASH)}.+)")


def refuse_shared_trash(scripts: Iterable[Script], directory: ScriptDirectory, dialect: str) -> None:
    """Two ids with one number have one tag in the trash; each could restore or purge what the other one moved.

    Raises:
        Refused: one of these revisions moves a column or table of the same name as another revision of its number.
    """
    every = list(directory.walk_revisions())
    for script in scripts:
        tag = ddl.trash_tag(script.revision)
        for other in every:
            if other.revision == script.revision or ddl.trash_tag(other.revision) != tag:
                continue
            if shared := sorted(_moved(script, dialect) & _moved(other, dialect)):
                raise Refused(
                    f"{script.revision} and {other.revision} have the number {tag}, and both keep {', '.join(shared)} "
                    f"in the trash under one name. Give {script.revision} another number: rename its file, its "
                    "`revision`, and the `down_revision` of what follows."
                )


def _moved(script: Script, dialect: str) -> set[str]:
    found = plan(script, dialect)
    return set() if found is None else {name for title in _titles(found) for name in _names(title)}


def _titles(found: Plan) -> Iterator[str]:
    for step in (*found.expand, *found.settle, *found.contract, *found.purge):
        yield step.title
        yield from (each.title for each in step.undo)


def _names(title: str) -> Iterator[str]:
    if match := _MOVED.fullmatch(title):
        yield match[1]
    elif (match := _DROPPED.fullmatch(title)) and (name := trash.original_name(match[2])):
        yield f"{match[1]}.{name}" if match[1] else name
