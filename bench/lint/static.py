"""The linter's rules asked about each statement of the corpus: as a revision of its own upon the tables."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.lint.corpus import Corpus, Statement
from service.migrate import naming
from service.migrate.proof.lint.lint import Asked, lint
from service.migrate.proof.lint.rule import RULES

_BASE = "tables"
_INI = """[alembic]
script_location = %(here)s
path_separator = os
"""
_ENV = """from alembic import context
from sqlalchemy import MetaData

from service.migrate.entrypoints import environment
from service.migrate.naming import Naming

environment.main(context, MetaData(), Naming(application="corpus"), url=lambda: "sqlite:///none.db")
"""
_REVISION = """from alembic import op

revision = {id!r}
down_revision = {after!r}


def upgrade() -> None:
{body}


def downgrade() -> None:
    pass
"""


def rules(corpus: Corpus, version: int) -> dict[str, set[str]]:
    """The rules that find something in each statement, on this version of PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="lint-") as name:
        folder = Path(name)
        _write(folder, corpus, version)
        before = naming.current()
        try:
            found = lint(Asked(databases=("postgresql",), version=version), folder / "alembic.ini").findings
        finally:
            naming.use(before)
    reported: dict[str, set[str]] = {name: set() for name in corpus.of(version)}
    names = _ids(corpus.of(version))
    for each in found:
        if each.revision in names:
            reported[names[each.revision]].add(each.rule)
    return reported


def alarms(reported: Mapping[str, set[str]]) -> list[str]:
    """The statements of which a rule claims that requests wait longer than for a change of the catalog."""
    return [name for name, found in reported.items() if any(RULES[each].blocks for each in found if each in RULES)]


def _ids(statements: Mapping[str, Statement]) -> dict[str, str]:
    return {f"s{number:03}": name for number, name in enumerate(statements)}


def _write(folder: Path, corpus: Corpus, version: int) -> None:
    versions = folder / "versions"
    versions.mkdir()
    (folder / "alembic.ini").write_text(_INI)
    (folder / "env.py").write_text(_ENV)
    _add(versions, _BASE, None, [f"op.execute({corpus.tables(1)!r})"])
    for id, name in _ids(corpus.of(version)).items():
        statement = corpus.statements[name]
        _add(versions, f"{id}_before", _BASE, [f"op.execute({each!r})" for each in statement.setup] or ["pass"])
        lines = [f"op.execute({each!r})" for each in statement.sql]
        if statement.alone:
            lines = ["with op.get_context().autocommit_block():", *(f"    {each}" for each in lines)]
        _add(versions, id, f"{id}_before", lines)


def _add(versions: Path, id: str, after: str | None, lines: list[str]) -> None:
    body = "\n".join(f"    {each}" for each in lines)
    (versions / f"{id}.py").write_text(_REVISION.format(id=id, after=after, body=body))
