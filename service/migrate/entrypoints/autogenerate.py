"""How autogenerate writes a revision: plain types, a numbered id, phases, formatted by ruff where installed."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.write_hooks import register
from sqlalchemy import DefaultClause, TextClause
from sqlalchemy.sql.elements import False_, True_

import service.migrate.entrypoints.render  # noqa: F401 - it registers how each operation is written
from service.db import types
from service.migrate import naming
from service.migrate.dialects import now
from service.migrate.entrypoints import checks, expression_indexes
from service.migrate.entrypoints.definitions import type_text
from service.migrate.entrypoints.dividing import divide
from service.migrate.entrypoints.status import read_phases
from service.migrate.errors import Refused

# alembic_version.version_num is a VARCHAR(32).
_ID_LENGTH = 32
_CHANCE_ID = re.compile(r"[0-9a-f]{12}")


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Render the project's own types and defaults as plain SQLAlchemy, independent of later models."""
    if kind == "type":
        return type_text(item, context)
    if kind == "server_default" and isinstance(item, DefaultClause):
        return _default(item.arg, context)
    return False


def _default(value: Any, context: AutogenContext) -> str | Literal[False]:
    if isinstance(value, (types.now, now.now)):
        context.imports.add("from service.migrate import ops")
        return "ops.now()"
    # Alembic would render the literal of the connected database, which the other database does not know.
    if isinstance(value, (True_, False_)):
        return f"sa.{value!s}()"
    if isinstance(value, TextClause) and ":" in str(value):
        # Alembic would take a colon in the text for a parameter without a value, which is NULL.
        return f"sa.text({str(value).replace(':', chr(92) + ':')!r})"
    return False


def number(context: MigrationContext, _revision: Any, scripts: list[MigrationScript]) -> None:
    """Set the id of each new revision, where ids are numbered, and divide the operations among the phases.

    Raises:
        Refused: revisions before have phases left, whose leftovers would be taken for changes.
    """
    for script in scripts:
        expression_indexes.add(context, script)
        checks.add(context, script)
        if script.upgrade_ops is not None and not script.upgrade_ops.is_empty():
            _refuse_unfinished(context)
        divide(script)
        if naming.current().numbered and context.script is not None and _CHANCE_ID.fullmatch(script.rev_id or ""):
            script.rev_id = next_id(context.script, script.message or "")


def _refuse_unfinished(context: MigrationContext) -> None:
    if context.connection is None or context.script is None:
        return
    phases = read_phases(context.connection, context.get_current_heads(), context.script)
    left = [f"{each} is not backfilled" for each in phases.backfill]
    left += [f"{each} is not contracted" for each in phases.contract if each not in phases.backfill]
    if left:
        raise Refused(
            f"{'; '.join(left)}: what that leaves behind would be taken for changes. "
            f"Run {naming.command('backfill')} and {naming.command('contract')} first."
        )


def next_id(scripts: ScriptDirectory, message: str) -> str:
    """An id such as 0017_add_colour_to_users: the next number, and words of the message."""
    numbers = [
        int(match[0]) for each in scripts.walk_revisions() if (match := re.match(r"\d{4}(?=_|$)", each.revision))
    ]
    slug = re.sub(r"\W+", "_", message.lower()).strip("_") or "change"
    words = f"{max(numbers, default=0) + 1:04d}_{slug}"
    if len(words) > _ID_LENGTH:
        words = words[: _ID_LENGTH + 1].rsplit("_", 1)[0][:_ID_LENGTH]
    return words


@register("ruff_if_installed")
def format_draft(path: str, _options: Any) -> str:
    """Format the new file with ruff, where ruff is installed."""
    if find_spec("ruff") is not None:
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)  # noqa: S603 - our own file
    return path
