"""Which revisions are new, and which commit is the previous version."""

from pathlib import Path

from alembic.script import ScriptDirectory

from service.migrate.errors import Unusable
from service.migrate.proof import revisions
from service.migrate.proof.rehearse import versions


def choose(directory: ScriptDirectory, since: str | None, previous: str | None, folder: Path) -> tuple[list[str], str]:
    """The new revisions, oldest first, and the commit of the previous version.

    Since a commit those are new that the merge base with it lacks, which is the previous version; there may be none.
    Without `since` the merge base is that with the default branch. If it lacks none, the newest is new, and the
    previous version is the one before it was added.

    Raises:
        Unknown: there is no such revision or commit.
        Unusable: there is no Git here, or no revision.
    """
    if since is None:
        return _new(directory, previous, folder)
    commit = revisions.commit_of(directory, since)
    if commit is not None:
        base = versions.merge_base(folder, commit)
        return _new_since(directory, base), versions.base(folder, previous) if previous else base
    chosen = revisions.chosen(directory, since)
    if previous is not None or not chosen:
        return chosen, versions.base(folder, previous or "HEAD")
    return chosen, versions.parent_of_addition(Path(directory.get_revision(chosen[0]).path))


def _new(directory: ScriptDirectory, previous: str | None, folder: Path) -> tuple[list[str], str]:
    commit = versions.base(folder, previous)
    chosen = _new_since(directory, commit)
    if chosen or previous is not None:
        return chosen, commit
    newest = next(iter(directory.walk_revisions()), None)
    if newest is None:
        raise Unusable("There is no revision to rehearse.")
    commit = versions.parent_of_addition(Path(newest.path))
    return _new_since(directory, commit), commit


def _new_since(directory: ScriptDirectory, commit: str) -> list[str]:
    known = versions.revisions_of(Path(directory.dir), commit)
    return [each.revision for each in reversed(list(directory.walk_revisions())) if each.revision not in known]
