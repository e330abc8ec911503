"""Alembic's plugin: validates revision files in commands that run no env.py, such as `alembic heads`."""

from pathlib import Path
from typing import Any

_OURS = "service.migrate"


def setup(_plugin: object) -> None:
    """Validate revision files whenever Alembic loads a project whose env.py imports `service.migrate`.

    https://alembic.sqlalchemy.org/en/latest/api/plugins.html: called when Alembic is imported.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - Alembic is being imported

    read = ScriptDirectory.from_config

    def from_config(config: Any) -> ScriptDirectory:
        known: ScriptDirectory | None = config.attributes.get("scripts")
        if known is not None:
            return known
        directory = read(config)
        environment = Path(directory.dir, "env.py")
        if environment.exists() and _OURS in environment.read_text(encoding="utf-8"):
            from service.migrate.plan.files import check  # noqa: PLC0415 - as above

            check(directory)
        return directory

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]
