"""The diagram of a project's models, or of the schema that a revision makes."""

import asyncio
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import URL

from service.migrate import naming
from service.migrate.entrypoints import commands, project
from service.migrate.errors import Refused, Unknown, refusing
from service.migrate.plan.config import Source, scripts
from service.migrate.proof.diagram import mermaid, reading, svg
from service.migrate.proof.diagram.schema import Schema, changed, compared, only

Report = Callable[[str], None]


def of_models(config: Source | None = None) -> Schema:
    """The schema that the project's models declare."""
    return reading.of_models(project.read(config).metadata)


def of_revision(revision: str, report: Report, config: Source | None = None) -> Schema:
    """The schema that the revisions up to this one make, in a temporary SQLite file.

    Raises:
        Unknown: there is no such revision.
        Refused: a revision fails on an empty SQLite database.
    """
    project.read(config)
    return _made([_script(scripts(config), revision).revision], report, config)


def of_change(revision: str, report: Report, config: Source | None = None) -> Schema:
    """The tables that a revision changes and their neighbours, with marks; raises as `of_revision` does."""
    project.read(config)
    script = _script(scripts(config), revision)
    after = _made([script.revision], report, config)
    before = _made(to_tuple(script.down_revision, default=()), report, config)
    return changed(compared(before, after))


def of_changes(revisions: Collection[str], report: Report, config: Source | None = None) -> Schema:
    """As `of_change`, for several revisions together."""
    project.read(config)
    directory = scripts(config)
    found = [_script(directory, each) for each in revisions]
    ids = {each.revision for each in found}
    below = {parent for each in found for parent in to_tuple(each.down_revision, default=())}
    before = _made(sorted(below - ids), report, config)
    after = _made([each.revision for each in found if each.revision not in below], report, config)
    return changed(compared(before, after))


def written(schema: Schema, title: str, *, as_mermaid: bool) -> str:
    """The text of the diagram."""
    return mermaid.written(schema) if as_mermaid else svg.drawn(schema, title)


def selected(schema: Schema, tables: Iterable[str]) -> Schema:
    """The schema of these tables alone; raises Unknown for a table that it does not have."""
    wanted, there = list(tables), [each.name for each in schema.tables]
    if missing := [each for each in wanted if each not in there]:
        raise Unknown(f"There is no table {' and no '.join(missing)}; there are {', '.join(there)}.")
    return only(schema, wanted) if wanted else schema


def _made(revisions: Sequence[str], report: Report, config: Source | None) -> Schema:
    """The schema of an empty database after all phases of these revisions and of those below them."""
    found = project.read(config)
    if not revisions:
        return Schema(tables=(), relations=())
    with tempfile.TemporaryDirectory(prefix="diagram-") as folder:
        url = f"sqlite:///{Path(folder, 'diagram.db')}"
        for at, revision in enumerate(revisions):
            _upgrade(url, revision, report, config)
            if at:
                # Only the first upgrade is of an empty database, in which all phases run at once.
                commands.backfill(url, config=config, report=report)
                commands.contract(url, config=config, report=report)
        return asyncio.run(_read(found, url))


def _upgrade(url: str, revision: str, report: Report, config: Source | None) -> None:
    try:
        commands.upgrade(url, revision, config=config, report=report)
    except Refused as refused:
        raise Refused(f"The revisions up to {revision} do not run on an empty SQLite database: {refused}") from refused


async def _read(found: project.Project, url: str) -> Schema:
    engine = found.engine(url=url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(reading.of_database)
    finally:
        await engine.dispose()


def _script(directory: ScriptDirectory, revision: str) -> Script:
    with refusing(URL.create("sqlite")):
        script = directory.get_revision(revision)
    if script is None:
        raise Unknown(f"There is no revision {revision}. {naming.command('history')} lists the revisions there are.")
    return script
