"""SQL texts judged without a revision: statements of one transaction, on the tables that earlier statements made."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.calls import Call, Style
from service.migrate.proof.lint.examining import Examiner, Given
from service.migrate.proof.lint.lint import OLDEST_VERSION
from service.migrate.proof.lint.models import Mapped
from service.migrate.proof.lint.reading import Revision
from service.migrate.proof.lint.rule import PG, RULES
from service.migrate.proof.lint.sql.statements import changes


def judged(
    sql: Sequence[str], *, before: Iterable[str] = (), version: int = OLDEST_VERSION, alone: bool = False
) -> list[Finding]:
    """The findings about statements of one transaction, or, if `alone`, outside of one, on PostgreSQL.

    `before` are the statements that made the tables. Rules about files and downgrades have nothing to judge.
    """
    made = _revision("before", before, alone=False)
    asked = _revision("asked", sql, alone=alone, parent="before")
    given = Given(databases=(PG,), version=version, mapped=Mapped(), heads=("asked",))
    examined = Examiner([made, asked], given).run({"asked"})
    return [each.finding for each in examined if RULES[each.finding.rule].judge is not None]


def _revision(id: str, sql: Iterable[str], *, alone: bool, parent: str | None = None) -> Revision:
    calls = [
        Call(
            phase="upgrade",
            style=Style.PLAIN,
            text=text,
            lines=(line,),
            alone=alone,
            # A script's statements before are each a transaction of their own.
            transaction=0 if parent else line,
            changes=tuple(changes(text)),
        )
        for line, text in enumerate(sql, start=1)
    ]
    return Revision(
        id=id,
        path=Path("statements.sql"),
        parents=(parent,) if parent else (),
        is_plain=True,
        calls=tuple(calls),
        stops=(),
        operations=(),
    )
