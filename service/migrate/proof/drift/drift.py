"""Drift of one database: read the database, make its stage in a scratch database, compare the two and the models."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, MetaData

from service.db.engine import Limits, Purpose, create_engine
from service.db.urls import place, sqlite_file
from service.migrate.entrypoints import execution
from service.migrate.entrypoints.project import Project, url_of
from service.migrate.errors import Refused, Unusable, refusing
from service.migrate.plan.config import Source, scripts
from service.migrate.proof.catalog import catalog
from service.migrate.proof.drift import models, stage
from service.migrate.proof.drift.copies import Empty, Surroundings, beside, surroundings
from service.migrate.proof.drift.difference import Difference, compared
from service.migrate.proof.drift.stage import Stage
from service.migrate.run.locking import lock
from service.migrate.run.locking.waiting import disposed
from service.migrate.state.drift import CatalogObject

_LIMITS = Limits(statement_seconds=60.0, pool_size=1)
# By their own names, since PUBLIC and the owner have them in every schema and database.
_USUAL = ("to PUBLIC", "to the owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The differences of a database at a stage; `ignored` were left out by a pattern."""

    stage: Stage
    differences: tuple[Difference, ...]
    ignored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one database holds, and where its objects are."""

    stage: Stage
    objects: tuple[CatalogObject, ...]
    models: tuple[Difference, ...]
    surroundings: Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Compares databases of a project; `server` is where scratch databases are made, else an ephemeral server.

    `others` counts partitions, other schemas, objects of extensions, and objects of the database itself, too.
    """

    project: Project
    config: Source | None
    server: str | None = None
    others: bool = False
    show: Callable[[int, int, str], None] = lambda _done, _total, _what: None

    def run(self, url: URL, ignore: tuple[str, ...] = ()) -> Drift:
        """Compare the database.

        Raises:
            Unusable: the database or the server for the scratch database cannot be used, a migrator is running, or the
                database is at a revision that has no script.
            Refused: the revisions fail on an empty database.
        """
        here = self._of_target(url)
        made, final = self._made(here)
        found = self._differences(here, made, final)
        kept = [each for each in found if not any(_matches(pattern, each) for pattern in ignore)]
        return Drift(stage=here.stage, differences=tuple(kept), ignored=len(found) - len(kept))

    def _of_target(self, url: URL) -> _Read:
        try:
            return self._read(url)
        except Unusable:
            raise
        except Refused as refused:
            # Nothing was compared, which is no finding.
            raise Unusable(str(refused)) from refused

    def _made(self, here: _Read) -> tuple[_Read, _Read]:
        """The same stage in an empty database, and, where the models need it, the end that all revisions lead to."""
        with beside(here.surroundings, self.server) as empty:
            made = self._made_in(empty, here.stage)
            if set(here.models).isdisjoint(made.models):
                return made, made
            directory = scripts(self.config)
            heads = tuple(directory.get_heads())
            if here.stage.is_final and set(here.stage.heads) == set(heads):
                return made, made
            order = tuple(each.revision for each in reversed(list(directory.walk_revisions())))
            return made, self._made_in(empty, Stage(heads=heads, applied=order))

    def _made_in(self, empty: Empty, wanted: Stage) -> _Read:
        with empty() as scratch:
            url = url_of(scratch)
            if url.get_backend_name() == "sqlite":
                # Without a revision nothing else creates the file.
                sqlite_file(url).touch()
            stage.make(scratch, wanted, self.config, self.show)
            return self._read(url)

    def _differences(self, here: _Read, made: _Read, final: _Read) -> list[Difference]:
        """Those to the revisions; and those to the models that no later phase or revision removes."""
        found = compared(self._counted(here.objects), self._counted(made.objects))
        if not self.others:
            found = [each for each in found if not _is_of_others(each)]
        return found + [each for each in here.models if each not in made.models or each in final.models]

    def _counted(self, objects: tuple[CatalogObject, ...]) -> Iterator[CatalogObject]:
        return (each for each in objects if self.others or not each.is_of_extension)

    def _read(self, url: URL) -> _Read:
        return asyncio.run(self._in_connection(url))

    async def _in_connection(self, url: URL) -> _Read:
        with refusing(url):
            if url.get_backend_name() == "sqlite" and not sqlite_file(url).exists():
                raise Unusable(f"{place(url)} does not exist.")
            engine = create_engine(url, Purpose.READ, limits=_LIMITS)
            async with disposed(engine), engine.connect() as connection:
                return await connection.run_sync(self._of, url, scripts(self.config), self.project.metadata)

    def _of(self, connection: Connection, url: URL, directory: ScriptDirectory, metadata: MetaData) -> _Read:
        found = _Read(
            stage=stage.read(connection, directory),
            models=tuple(models.named(execution.differences(connection, metadata))),
            objects=tuple(self._objects(connection)),
            surroundings=surroundings(connection),
        )
        # Asked last: a run that ended in between has changed what was read.
        is_sqlite = connection.dialect.name == "sqlite"
        if running := lock.file_holder(url) if is_sqlite else lock.session_holder(connection):
            raise Unusable(f"A migrator is running: {running}. Compare when it has ended.")
        return found

    def _objects(self, connection: Connection) -> Iterator[CatalogObject]:
        yield from catalog.objects(connection)
        yield from catalog.objects_of_database(connection)
        yield from catalog.owners(connection)
        if self.others:
            yield from catalog.objects_of_others(connection)


def _is_of_others(found: Difference) -> bool:
    """Whether administrators, and not revisions, made the object."""
    if found.kind not in catalog.OF_DATABASE:
        return False
    return found.expected is None or found.name.endswith(_USUAL)


def _matches(pattern: str, found: Difference) -> bool:
    return fnmatchcase(found.object, pattern) or fnmatchcase(found.name, pattern)
