"""Alembic's plugin: commands that run no env.py, such as `alembic heads`, tell of broken revisions in one line too."""

from pathlib import Path
from typing import Any

_OURS = "service.migrate"


def setup(_plugin: object) -> None:
    """Let Alembic read the revisions of a project with our env.py through our checks.

    https://alembic.sqlalchemy.org/en/latest/api/plugins.html: called when Alembic is imported.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - Alembic is being imported

    read = ScriptDirectory.from_config

    def from_config(config: Any) -> ScriptDirectory:
        directory = read(config)
        environment = Path(directory.dir, "env.py")
        if environment.exists() and _OURS in environment.read_text(encoding="utf-8"):
            from service.migrate.plan.files import check  # noqa: PLC0415 - as above

            check(directory)
        return directory

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]
