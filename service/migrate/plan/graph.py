"""The order of revisions, from down_revision and depends_on and never from the text of an id."""

from collections.abc import Collection, Iterable

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple


def oldest_first(directory: ScriptDirectory, revisions: Collection[str]) -> list[Script]:
    """The scripts of these revisions, each after its ancestors."""
    return [script for script in reversed(list(directory.walk_revisions())) if script.revision in revisions]


def with_ancestors(directory: ScriptDirectory, revisions: Iterable[str]) -> set[str]:
    """These revisions and their ancestors, without ids that have no script."""
    parents = parents_of(directory)
    found: set[str] = set()
    waiting = [each for each in revisions if each in parents]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += parents[each]
    return found


def with_descendants(directory: ScriptDirectory, revision: str) -> set[str]:
    """This revision and its descendants."""
    return {each for each in parents_of(directory) if revision in with_ancestors(directory, [each])}


def unknown(directory: ScriptDirectory, revisions: Iterable[str]) -> list[str]:
    """The ids that have no script."""
    return sorted(set(revisions) - parents_of(directory).keys())


def overlapping(directory: ScriptDirectory, heads: Collection[str]) -> list[str]:
    """The heads that are ancestors of another head: a version table with such heads contradicts itself."""
    others = {each: with_ancestors(directory, set(heads) - {each}) for each in heads}
    return sorted(each for each, ancestors in others.items() if each in ancestors)


def parents_of(directory: ScriptDirectory) -> dict[str, tuple[str, ...]]:
    """The revisions that each revision names in down_revision and depends_on."""
    return {
        script.revision: (
            *to_tuple(script.down_revision, default=()),
            *(directory.get_revision(each).revision for each in to_tuple(script.dependencies, default=())),
        )
        for script in directory.walk_revisions()
    }
