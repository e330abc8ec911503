"""Which revisions of a repository are new, and which commit is the previous version."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from service.migrate.errors import Unknown, Unusable
from service.migrate.plan.config import scripts
from service.migrate.proof.rehearse import versions
from service.migrate.proof.rehearse.choosing import choose
from tests.migrate.project import Project, copied


class Repository:
    """A repository whose history is: the base; the base and an added revision; a commit without a revision."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        project.clear()
        self.git("init", "-q", "-b", "main")
        project.add_safe("0001_base", after=None)
        self.first = self.commit("first")
        project.add_safe("0002_added", after="0001_base")
        self.second = self.commit("second")
        (self.folder / "note").write_text("x")
        self.third = self.commit("third")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def choose(self, since: str | None = None, previous: str | None = None) -> tuple[list[str], str]:
        return choose(scripts(), since, previous, self.folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with copied(tmp_path_factory.mktemp("versions")) as project:
        yield Repository(project)


def test_revisions_are_new_since_a_commit_or_a_revision(repository: Repository) -> None:
    first, second, third = repository.first, repository.second, repository.third
    # Without a base the newest revision is new, and the version before it the previous one.
    assert repository.choose() == (["0002_added"], first)
    assert repository.choose(previous=first[:9]) == (["0002_added"], first)
    assert repository.choose(previous="HEAD") == ([], third)
    assert repository.choose(since=first) == (["0002_added"], first)
    assert repository.choose(since=second, previous=first) == ([], first)
    assert repository.choose(since="0001") == (["0002_added"], first)
    assert repository.choose(since="0001", previous="HEAD^") == (["0002_added"], second)
    assert repository.choose(since="0002_added") == ([], third)


def test_a_revision_that_no_commit_has_is_new_since_the_newest_commit(repository: Repository) -> None:
    repository.project.add_safe("0003_open", after="0002_added")
    try:
        assert repository.choose() == (["0003_open"], repository.third)
        assert repository.choose(since="0002_added") == (["0003_open"], repository.third)
    finally:
        repository.project.remove("0003_open")
    repository.git("checkout", "-q", "--orphan", "other")
    alone = repository.commit("alone")
    try:
        assert alone not in (repository.first, repository.third)
        assert versions.merge_base(repository.folder, repository.first) == repository.first
        message = r"^The commit that added 0001_base\.py is the first one here, so no version is without it: "
        with pytest.raises(Unknown, match=message):
            versions.parent_of_addition(repository.project.versions / "0001_base.py")
        with pytest.raises(Unknown, match=r"^There is no commit nothing\.$"):
            versions.base(repository.folder, "nothing")
    finally:
        repository.git("checkout", "-q", "main")


def test_a_previous_version_is_a_worktree_that_goes_afterwards(repository: Repository) -> None:
    with versions.previous(repository.folder, repository.first, "unused") as old:
        assert [each.name for each in (old.folder / "alembic/versions").glob("*.py")] == ["0001_base.py"]
        assert old.described == f"the previous version ({repository.first[:12]})"
        # It has the same packages.
        assert old.python == sys.executable
        assert old.environment["PYTHONPATH"].split(":")[0] == str(old.folder)
        assert len(repository.git("worktree", "list").splitlines()) == 2
    assert not old.folder.exists()
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_without_a_branch_a_revision_or_a_repository_there_is_no_previous_version(
    repository: Repository, tmp_path: Path
) -> None:
    repository.git("branch", "-m", "trunk")
    try:
        with pytest.raises(Unknown, match=r"^There is no previous version: Git knows no default branch here\."):
            repository.choose()
    finally:
        repository.git("branch", "-m", "main")
    with pytest.raises(Unusable, match=rf"^{re.escape(str(tmp_path))} is in no Git repository, "):
        versions.base(tmp_path, None)
    empty = repository.folder / "empty"
    (empty / "versions").mkdir(parents=True)
    with pytest.raises(Unusable, match=r"^There is no revision to rehearse\.$"):
        choose(ScriptDirectory(str(empty)), None, None, repository.folder)


@pytest.mark.parametrize("command", ["{python} {nothing}", "{python} 'x", "{} {python}"])
def test_a_command_with_an_unknown_placeholder_is_one_line(command: str) -> None:
    message = rf"^The command {re.escape(repr(command))} cannot be read \(.*\); it may have {{python}}, {{folder}}\.$"
    with pytest.raises(Unusable, match=message):
        versions.split(command, python="p", folder="f")
    assert versions.split("{python} -m 'a b' {folder}", python="p q", folder="f") == ["p q", "-m", "a b", "f"]
