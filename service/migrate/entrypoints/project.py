"""A project as its alembic.ini and its env.py describe it: revisions, models, names and database."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db.engine import Purpose, create_engine
from service.db.urls import parse_url
from service.migrate import naming
from service.migrate.errors import Refused, Unusable
from service.migrate.naming import Naming
from service.migrate.plan.config import Source, configuration, configuration_file, scripts
from service.migrate.plan.faults import of_code, shown

# Alembic keeps the context of env.py in module globals.
alone = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project; `url` raises Unusable if neither env.py nor alembic.ini names a database."""

    scripts: ScriptDirectory
    metadata: MetaData
    naming: Naming
    url: Callable[[], URL]

    def engine(self, purpose: Purpose = Purpose.READ, url: str | None = None) -> AsyncEngine:
        """An engine on the project's database, or on the one that `url` names; raises Unusable as `url` does."""
        return create_engine(url_of(url) if url else self.url(), purpose)


def read(config: Source | None = None) -> Project:
    """Return the project, and set its names as those of this process; env.py runs once and makes no connection.

    `config` names the project's alembic.ini, as in `plan.config.configuration_file`.

    Raises:
        Unusable: there is no such file, or it leads to no env.py that calls `environment.main`.
        Refused: env.py fails.
    """
    key = config if isinstance(config, Config) else configuration_file(config).absolute()
    with alone:
        found = _read(key)
    naming.use(found.naming)
    return found


def locate(url: str | None, config: Source | None = None) -> Callable[[], URL]:
    """Return the function that returns the URL of a call, and set the names of the call's project.

    For a given URL, a process that called `naming.use` needs no env.py.
    """
    if url is not None and config is None and naming.is_set():
        return lambda: url_of(url)
    project = read(config)
    return project.url if url is None else lambda: url_of(url)


def url_of(text: str) -> URL:
    """Read a URL; raises Unusable with what is wrong with it."""
    try:
        return parse_url(text)
    except ValueError as failure:
        raise Unusable(str(failure)) from failure


@cache
def _read(source: Path | Config) -> Project:
    described: list[tuple[MetaData, Naming, Callable[[], URL]]] = []
    directory = scripts(source)
    file = Path(directory.dir, "env.py")
    if not file.exists():
        raise Unusable(f"There is no {shown(file)}. docs/other-projects.md shows one.")
    config = configuration(source, describe=lambda *found: described.append(found))
    with EnvironmentContext(config, directory, fn=_no_revisions):
        try:
            directory.run_env()
        except Refused:
            raise
        except (Exception, SystemExit) as failure:
            raise of_code(failure, file) from failure
    if not described:
        raise Unusable(f"{shown(file)} does not call main() of service.migrate.entrypoints.environment.")
    metadata, names, url = described[0]
    return Project(scripts=directory, metadata=metadata, naming=names, url=url)


def _no_revisions(_heads: object, _context: object) -> list[Any]:
    return []
